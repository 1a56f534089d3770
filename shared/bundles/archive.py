"""The archive `bundle.tar.zst`: written one way only, read strictly.

The same files give the same bytes whatever their order (canonical USTAR, one zstd frame), and any
deviation that a reader could take for something else refuses the whole bundle.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from backports import zstd

from shared.bundles.entry_path import PathSet, shown
from shared.bundles.layout import DEFAULT_LIMITS, BundleLimits
from shared.bundles.ustar import BLOCK_BYTES, ZERO_BLOCK, read_header, write_header
from shared.bundles.zstd_frame import FrameReader
from shared.errors import BundleInvalidError, BundleTooLargeError
from shared.identifiers import ContentHash, content_hash_of_digest

_COMPRESSION_LEVEL: Final = 12  # 19 packs a tenth tighter and takes eight times as long


def content_hash_of(data: bytes) -> ContentHash:
    """The content hash of a packed bundle: `sha256:` over the archive's bytes."""
    return content_hash_of_digest(hashlib.sha256(data).digest())


def pack(files: Mapping[str, bytes], *, limits: BundleLimits = DEFAULT_LIMITS) -> bytes:
    """Packs files into a bundle; the same files always give the same bytes.

    Args:
        files: contents by path, such as `ui/index.html`.
        limits: what the reader will allow; nothing is packed that it would refuse.

    Raises:
        BundleInvalidError: a path is not allowed or collides with another.
        BundleTooLargeError: a limit is passed.
    """
    if len(files) > limits.entries:
        raise BundleTooLargeError(f"The bundle has more than {limits.entries} entries.")
    paths = PathSet(limits)
    tar = bytearray()
    for path in sorted(files):
        paths.add(path, is_directory=False)
        tar += write_header(path, len(files[path]))
        tar += files[path]
        tar += bytes(-len(tar) % BLOCK_BYTES)
        if len(tar) > limits.unpacked_bytes - 2 * BLOCK_BYTES:
            raise BundleTooLargeError(f"The bundle unpacks to more than {limits.unpacked_bytes} B.")
    tar += ZERO_BLOCK * 2
    packed = zstd.compress(
        bytes(tar),
        options={
            zstd.CompressionParameter.compression_level: _COMPRESSION_LEVEL,
            zstd.CompressionParameter.window_log: limits.window_log,
            zstd.CompressionParameter.checksum_flag: 1,
        },
    )
    if len(packed) > limits.packed_bytes:
        raise BundleTooLargeError(f"The bundle is larger than {limits.packed_bytes} B.")
    if len(tar) > max(limits.ratio_free_bytes, limits.ratio * len(packed)):
        raise BundleTooLargeError(
            f"The bundle packs to less than 1/{limits.ratio} of its size and would be refused as a "
            "decompression bomb; remove what is only padding."
        )
    return packed


def read_bundle(data: bytes, *, limits: BundleLimits = DEFAULT_LIMITS) -> Mapping[str, bytes]:
    """Unpacks a bundle in memory; contents by path, directories left out.

    Raises:
        BundleInvalidError: the archive deviates; the message names the entry and the reason.
        BundleTooLargeError: a limit is passed.
    """
    frame = FrameReader(data, limits)
    paths = PathSet(limits)
    files: dict[str, bytes] = {}
    index = 0
    while (block := _read_block(frame)) != ZERO_BLOCK:
        index += 1
        if index > limits.entries:
            raise BundleTooLargeError(f"The bundle has more than {limits.entries} entries.")
        header = read_header(block, index=index)
        paths.add(header.path, is_directory=header.is_directory)
        if not header.is_directory:
            files[header.path] = _read_content(frame, header.path, header.size_bytes, limits)
    _check_end(frame)
    return files


def _read_block(frame: FrameReader) -> bytes:
    block = frame.read(BLOCK_BYTES)
    if len(block) < BLOCK_BYTES:
        raise BundleInvalidError(
            "The tar inside the archive is truncated: it does not end with two zero blocks."
        )
    return block


def _read_content(frame: FrameReader, path: str, size_bytes: int, limits: BundleLimits) -> bytes:
    if size_bytes > limits.unpacked_bytes:
        raise BundleTooLargeError(f"Entry {shown(path)} is larger than {limits.unpacked_bytes} B.")
    content = frame.read(size_bytes)
    padding = frame.read(-size_bytes % BLOCK_BYTES)
    if len(content) < size_bytes or (size_bytes + len(padding)) % BLOCK_BYTES:
        raise BundleInvalidError(f"Entry {shown(path)} is refused: its content is truncated.")
    if any(padding):
        raise BundleInvalidError(
            f"Entry {shown(path)} is refused: there is data in the padding behind it."
        )
    return content


def _check_end(frame: FrameReader) -> None:
    """After the first zero block: a second one, then nothing but the zeros of a tar record."""
    if _read_block(frame) != ZERO_BLOCK:
        raise BundleInvalidError("The tar inside the archive has only one zero block at its end.")
    while rest := frame.read(BLOCK_BYTES):
        if rest != ZERO_BLOCK:
            raise BundleInvalidError(
                "There is data after the end of the tar inside the archive; remove it."
            )
