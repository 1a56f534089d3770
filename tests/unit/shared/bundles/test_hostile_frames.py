"""Zstd frames that lie, or grow without end; each is refused, and for its own reason."""

import subprocess
import sys
import time

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from shared.bundles.archive import pack, read_bundle
from shared.bundles.layout import MIB, BundleLimits
from shared.errors import BundleInvalidError, BundleTooLargeError
from tests.unit.shared.bundles.hostile_tar import END, PLAIN, entry, header, packed

GOOD = pack({"manifest.json": b"{}", "dist/main.wasm": b"\0asm" * 500})
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
DICTIONARY = zstd.train_dict([bytes([i % 7, i % 11, i % 13] * 40) for i in range(400)], 1000)

HOSTILE_FRAMES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not a .tar.zst"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "gzip"),
    "zip": (b"PK\x03\x04" + bytes(20), "zip archive"),
    "plain-tar": (entry(b"manifest.json") + END, "not compressed"),
    "text": (b"hello", "something else"),
    "truncated": (GOOD[:-40], "truncated"),
    "truncated-checksum": (GOOD[:-1], "truncated"),
    "only-the-magic": (GOOD[:4], "header is damaged"),
    "wrong-checksum": (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "checksum does not match"),
    "trailing-byte": (GOOD + b"\0", "data after the archive's zstd frame"),
    "second-frame": (GOOD + GOOD, "a second zstd frame"),
    "skippable-frame-before": (SKIPPABLE + GOOD, "starts with a skippable"),
    "skippable-frame-behind": (GOOD + SKIPPABLE, "a skippable zstd frame"),
    "window-too-large": (
        zstd.compress(
            PLAIN + END + bytes(16 * MIB),
            options={
                zstd.CompressionParameter.window_log: 24,
                zstd.CompressionParameter.content_size_flag: 0,
            },
        ),
        "window over 8388608",
    ),
    "dictionary": (zstd.compress(PLAIN + END, zstd_dict=DICTIONARY), "needs a zstd dictionary"),
}


@pytest.mark.parametrize("name", HOSTILE_FRAMES)
def test_a_hostile_frame_is_refused_for_its_own_reason(name: str) -> None:
    data, reason = HOSTILE_FRAMES[name]
    with pytest.raises(BundleInvalidError, match=reason):
        read_bundle(data)


@pytest.mark.parametrize("cut", range(0, len(GOOD), 7))
def test_every_cut_of_a_good_bundle_is_refused(cut: int) -> None:
    with pytest.raises(BundleInvalidError):
        read_bundle(GOOD[:cut])


@given(position=st.integers(0, len(GOOD) - 1), flip=st.integers(1, 255))
def test_every_changed_byte_is_refused_or_changes_nothing(position: int, flip: int) -> None:
    data = bytearray(GOOD)
    data[position] ^= flip
    try:
        files = read_bundle(bytes(data))
    except (BundleInvalidError, BundleTooLargeError):
        return
    assert files == read_bundle(GOOD)


@given(data=st.binary(max_size=3000))
def test_noise_after_the_magic_never_raises_anything_else(data: bytes) -> None:
    with pytest.raises((BundleInvalidError, BundleTooLargeError)):
        read_bundle(b"\x28\xb5\x2f\xfd" + data)


def test_an_archive_over_the_packed_limit_is_refused_unread() -> None:
    with pytest.raises(BundleTooLargeError, match="larger than 100 B"):
        read_bundle(bytes(101), limits=BundleLimits(packed_bytes=100))


def test_a_frame_that_claims_too_much_is_refused_unread() -> None:
    with pytest.raises(BundleTooLargeError, match="claims to unpack"):
        read_bundle(packed(bytes(2 * MIB)), limits=BundleLimits(unpacked_bytes=MIB))


def zeros(mebibytes: int) -> bytes:
    """Zeros behind one tar header, as a stream: the frame does not tell its size."""
    compressor = zstd.ZstdCompressor()
    parts = [compressor.compress(header(b"zeros", 15 * MIB))]
    parts += [compressor.compress(bytes(MIB)) for _ in range(mebibytes)]
    return b"".join([*parts, compressor.flush()])


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    data = zeros(2048)
    assert len(data) < 100_000
    started = time.monotonic()
    with pytest.raises(BundleTooLargeError, match="bomb"):
        read_bundle(data)
    assert time.monotonic() - started < 1


def test_a_bomb_takes_little_memory() -> None:
    program = """
import resource, sys
from shared.bundles.archive import read_bundle
from shared.errors import BundleTooLargeError
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_bundle(data)
except BundleTooLargeError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], input=zeros(1024), check=True, capture_output=True
    )
    assert int(run.stdout) < 64 * 1024  # KiB


def test_the_unpacked_limit_holds_where_the_ratio_would_not() -> None:
    limits = BundleLimits(ratio=10**9, unpacked_bytes=16 * MIB)
    with pytest.raises(BundleTooLargeError, match="unpacks to more than 16777216"):
        read_bundle(zeros(32), limits=limits)
