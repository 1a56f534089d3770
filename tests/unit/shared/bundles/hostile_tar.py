"""Tar headers built byte by byte, so that any field can lie."""

from backports import zstd

END = bytes(1024)


def header(
    name: bytes,
    size: int | bytes = 0,
    *,
    kind: bytes = b"0",
    mode: bytes = b"0000644\0",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    device: bytes = b"",
    padding: bytes = b"",
    uid: bytes = b"0000000\0",
    checksum: bytes | None = None,
) -> bytes:
    """A tar header with any of its fields wrong; the checksum is right unless given."""
    size_field = size if isinstance(size, bytes) else b"%011o\0" % size
    before = name.ljust(100, b"\0") + mode + uid + b"0000000\0" + size_field + b"00000000000\0"
    after = (
        kind
        + link.ljust(100, b"\0")
        + magic
        + bytes(64)
        + device.ljust(16, b"\0")
        + prefix.ljust(155, b"\0")
    )
    after += padding.ljust(12, b"\0")
    right = b"%06o\0 " % (sum(before) + sum(after) + 8 * 32)
    block = before + (checksum or right) + after
    assert len(block) == 512
    return block


def entry(name: bytes, content: bytes = b"", **fields: bytes) -> bytes:
    return header(name, len(content), **fields) + content + bytes(-len(content) % 512)


def packed(tar: bytes) -> bytes:
    return zstd.compress(tar, options={zstd.CompressionParameter.checksum_flag: 1})


PLAIN = entry(b"a", b"content")
