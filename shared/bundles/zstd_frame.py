"""One zstd frame, read with a bound on everything that a frame can claim.

The caps hold while the frame is unpacked, never after: a bomb costs no more than what it was
allowed to unpack before it was refused.
"""

from typing import Final

from backports import zstd

from shared.bundles.layout import BundleLimits
from shared.errors import BundleInvalidError, BundleTooLargeError

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGICS: Final = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))
_FOREIGN_MAGICS: Final = {
    b"\x1f\x8b": "gzip",
    b"PK": "a zip archive",
    b"BZ": "bzip2",
    b"\xfd7zXZ": "xz",
    b"manifest": "a tar archive that was not compressed",
}
_CHUNK_BYTES: Final = 64 * 1024


class FrameReader:
    """Gives the unpacked bytes of exactly one zstd frame, in order, from memory.

    Raises (from every method):
        BundleInvalidError: the data are not one whole, undamaged frame and nothing else.
        BundleTooLargeError: a limit is passed.
    """

    def __init__(self, data: bytes, limits: BundleLimits) -> None:
        _check_head(data, limits)
        self._data = memoryview(data)
        self._limits = limits
        self._fed = 0
        self._unpacked = 0
        self._pending = bytearray()
        self._frame = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: limits.window_log}
        )

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only where the frame ends."""
        pieces = bytearray()
        while len(pieces) < size:
            if not self._pending and not self._fill():
                break
            wanted = size - len(pieces)
            pieces += self._pending[:wanted]
            del self._pending[:wanted]
        return bytes(pieces)

    def _fill(self) -> bool:
        """Unpacks some more; False once the frame has ended, with nothing after it."""
        while not self._pending:
            if self._frame.eof:
                self._check_tail()
                return False
            chunk = b""
            if self._frame.needs_input:
                chunk = bytes(self._data[self._fed : self._fed + _CHUNK_BYTES])
                self._fed += len(chunk)
                if not chunk:
                    raise BundleInvalidError(
                        "The archive is truncated: its zstd frame does not end. "
                        "Upload or download it again."
                    )
            try:
                self._pending += self._frame.decompress(chunk, _CHUNK_BYTES)
            except zstd.ZstdError as error:
                raise _told(error, self._limits) from None
            self._count()
        return True

    def _count(self) -> None:
        self._unpacked += len(self._pending)
        limits = self._limits
        if self._unpacked > limits.unpacked_bytes:
            raise BundleTooLargeError(f"The bundle unpacks to more than {limits.unpacked_bytes} B.")
        allowed = max(limits.ratio_free_bytes, limits.ratio * len(self._data))
        if self._unpacked > allowed:
            raise BundleTooLargeError(
                f"The bundle unpacks to more than {limits.ratio} times its packed size, "
                "which looks like a decompression bomb."
            )

    def _check_tail(self) -> None:
        rest = self._frame.unused_data[:4] or bytes(self._data[self._fed : self._fed + 4])
        if not rest:
            return
        what = {_MAGIC: "a second zstd frame"}.get(rest, "data")
        if rest in _SKIPPABLE_MAGICS:
            what = "a skippable zstd frame"
        raise BundleInvalidError(f"There is {what} after the archive's zstd frame; remove it.")


def _check_head(data: bytes, limits: BundleLimits) -> None:
    if len(data) > limits.packed_bytes:
        raise BundleTooLargeError(f"The bundle is larger than {limits.packed_bytes} B.")
    if data.startswith(_SKIPPABLE_MAGICS):
        raise BundleInvalidError("The archive starts with a skippable zstd frame; remove it.")
    if not data.startswith(_MAGIC):
        kind = next((name for magic, name in _FOREIGN_MAGICS.items() if data.startswith(magic)), "")
        raise BundleInvalidError(
            f"The archive is {kind or 'something else'}, not a .tar.zst (zstd magic 28 b5 2f fd); "
            "make it with `extctl pack`."
        )
    try:
        info = zstd.get_frame_info(data[:18])
    except zstd.ZstdError:
        raise BundleInvalidError("The archive's zstd frame header is damaged.") from None
    if info.dictionary_id:
        raise BundleInvalidError("The archive needs a zstd dictionary; compress it without one.")
    if (info.decompressed_size or 0) > limits.unpacked_bytes:
        raise BundleTooLargeError(
            f"The bundle claims to unpack to more than {limits.unpacked_bytes} B."
        )


def _told(error: zstd.ZstdError, limits: BundleLimits) -> BundleInvalidError:
    """The library's error, in words of ours; its own words are the only thing that tells apart."""
    text = str(error)
    if "too much memory" in text:
        return BundleInvalidError(
            f"The archive needs a zstd window over {1 << limits.window_log} B; "
            "compress it at level 19 or lower, without --long."
        )
    if "checksum" in text:
        return BundleInvalidError("The archive is damaged: its zstd checksum does not match.")
    return BundleInvalidError("The archive is damaged: its zstd frame cannot be unpacked.")
