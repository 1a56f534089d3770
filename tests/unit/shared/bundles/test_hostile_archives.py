"""Archives that lie, built byte by byte; each is refused, and for its own reason."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bundles.archive import read_bundle
from shared.errors import BundleInvalidError, BundleTooLargeError
from tests.unit.shared.bundles.hostile_tar import END, PLAIN, entry, header, packed

HOSTILE_TARS: dict[str, tuple[bytes, str]] = {
    "traversal": (entry(b"ui/../../etc/passwd") + END, "climbs out"),
    "traversal-in-the-prefix": (entry(b"passwd", prefix=b"../etc") + END, "climbs out"),
    "absolute": (entry(b"/etc/passwd") + END, "absolute"),
    "absolute-by-prefix": (entry(b"etc/passwd", prefix=b"/") + END, "absolute"),
    "dot-segment": (entry(b"./a") + END, "without './'"),
    "empty-segment": (entry(b"a//b") + END, "empty segment"),
    "trailing-slash-on-a-file": (entry(b"a/") + END, "empty segment"),
    "empty-name": (entry(b"") + END, "its path is empty"),
    "backslash": (entry(b"a\\b") + END, "outside A-Z"),
    "control-character": (entry(b"a\x1b[31m") + END, "outside A-Z"),
    "space": (entry(b"a ") + END, "outside A-Z"),
    "not-ascii": (entry("é".encode()) + END, "name is not ASCII"),
    "nul-in-the-name": (entry(b"a.html\0.exe") + END, "NUL in the middle"),
    "nul-in-the-prefix": (entry(b"a", prefix=b"b\0c") + END, "NUL in the middle"),
    "trailing-dot": (entry(b"a./b") + END, "ends with a dot"),
    "too-deep": (entry(b"/".join([b"d"] * 17)) + END, "deeper than 16"),
    "too-long": (entry(b"n" * 99, prefix=b"p" * 120) + END, "longer than 200"),
    "symlink": (entry(b"a", kind=b"2", link=b"/etc/passwd") + END, "symbolic link"),
    "inward-symlink": (entry(b"a", kind=b"2", link=b"b") + END, "symbolic link"),
    "hard-link": (entry(b"a", kind=b"1", link=b"manifest.json") + END, "hard link"),
    "character-device": (entry(b"a", kind=b"3") + END, "character device"),
    "block-device": (entry(b"a", kind=b"4") + END, "block device"),
    "fifo": (entry(b"a", kind=b"6") + END, "FIFO"),
    "sparse": (entry(b"a", kind=b"S") + END, "sparse"),
    "unknown-type": (entry(b"a", kind=b"Z") + END, "type 'Z' is unknown"),
    "pax-path-override": (
        entry(b"x", b"18 path=/etc/cron\n", kind=b"x") + PLAIN + END,
        "PAX header could rename or resize",
    ),
    "pax-size-override": (
        entry(b"x", b"11 size=99\n", kind=b"x") + PLAIN + END,
        "PAX header could rename or resize",
    ),
    "global-pax": (entry(b"x", b"11 size=99\n", kind=b"g") + PLAIN + END, "global PAX"),
    "gnu-long-name": (entry(b"././@LongLink", b"/etc/x\0", kind=b"L") + PLAIN + END, "long-name"),
    "gnu-long-link": (entry(b"././@LongLink", b"/etc/x\0", kind=b"K") + PLAIN + END, "long-link"),
    "gnu-magic": (entry(b"a", magic=b"ustar  \0") + END, "not POSIX USTAR"),
    "v7-without-magic": (entry(b"a", magic=bytes(8)) + END, "not POSIX USTAR"),
    "data-in-the-header-padding": (entry(b"a", padding=b"x") + END, "not POSIX USTAR"),
    "link-target-on-a-file": (entry(b"a", link=b"b") + END, "has a link target"),
    "setuid": (entry(b"a", mode=b"0004755\0") + END, "setuid"),
    "setgid": (entry(b"a", mode=b"0002755\0") + END, "setuid"),
    "directory-with-a-size": (entry(b"a", b"x", kind=b"5") + END, "directory with a size"),
    "duplicate": (PLAIN + PLAIN + END, "there twice"),
    "duplicate-directory": (entry(b"d/", kind=b"5") + entry(b"d", kind=b"5") + END, "there twice"),
    "duplicate-in-another-case": (PLAIN + entry(b"A") + END, "only in case"),
    "parent-in-another-case": (entry(b"ui/a") + entry(b"UI/b") + END, "only in case"),
    "file-as-directory": (PLAIN + entry(b"a/b") + END, "is a file, not a directory"),
    "directory-as-file": (entry(b"a/b") + PLAIN + END, "replace a directory"),
    "directory-entry-as-file": (entry(b"a/", kind=b"5") + PLAIN + END, "there twice"),
    "file-then-directory-entry": (PLAIN + entry(b"a/", kind=b"5") + END, "there twice"),
    "base-256-size": (header(b"a", b"\x80" + bytes(10) + b"\1") + END, "size is a base-256"),
    "negative-base-256-size": (header(b"a", b"\xff" * 12) + END, "size is a base-256"),
    "base-256-uid": (entry(b"a", uid=b"\x80" + bytes(7)) + END, "uid is a base-256"),
    "signed-size": (header(b"a", b"-0000000007\0") + END, "size is not an octal"),
    "empty-size": (header(b"a", bytes(12)) + END, "size is not an octal"),
    "digits-8-and-9": (header(b"a", b"00000000009\0") + END, "size is not an octal"),
    "noise-as-device-number": (entry(b"a", device=b"9") + END, "device number is not an octal"),
    "wrong-checksum": (entry(b"a", checksum=b"000000\0 ") + END, "checksum of its header"),
    "no-checksum": (entry(b"a", checksum=b" " * 8) + END, "checksum is not an octal"),
    "data-in-the-content-padding": (
        header(b"a", 1) + b"x" + b"hidden".ljust(511, b"\0") + END,
        "data in the padding",
    ),
    "content-past-the-end": (header(b"a", 5000) + END, "content is truncated"),
    "no-end-at-all": (PLAIN, "does not end with two zero blocks"),
    "empty-tar": (b"", "does not end with two zero blocks"),
    "half-a-header": (PLAIN[:700], "content is truncated"),
    "one-zero-block": (PLAIN + bytes(512), "does not end with two zero blocks"),
    "one-zero-block-then-an-entry": (PLAIN + bytes(512) + PLAIN + END, "only one zero block"),
    "entry-after-the-end": (PLAIN + END + entry(b"b") + END, "data after the end of the tar"),
    "byte-after-the-end": (PLAIN + END + b"x", "data after the end of the tar"),
    "unaligned-zeros-after-the-end": (PLAIN + END + b"\0", "data after the end of the tar"),
}


@pytest.mark.parametrize("name", HOSTILE_TARS)
def test_a_hostile_tar_is_refused_for_its_own_reason(name: str) -> None:
    tar, reason = HOSTILE_TARS[name]
    with pytest.raises(BundleInvalidError, match=reason) as caught:
        read_bundle(packed(tar))
    assert caught.value.message.isprintable()


def test_the_builder_of_hostile_tars_builds_good_ones_too() -> None:
    tar = entry(b"d/", kind=b"5") + entry(b"d/a", b"content") + entry(b"b", kind=b"\0") + END
    assert read_bundle(packed(tar)) == {"d/a": b"content", "b": b""}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert archive.getnames() == ["d", "d/a", "b"]


def test_the_entry_is_named() -> None:
    with pytest.raises(BundleInvalidError, match=r"Entry 2 \('evil'\)"):
        read_bundle(packed(PLAIN + entry(b"evil", kind=b"2", link=b"x") + END))


@given(block=st.binary(min_size=512, max_size=512), tail=st.binary(max_size=1024))
def test_a_noisy_tar_never_raises_anything_else(block: bytes, tail: bytes) -> None:
    with pytest.raises((BundleInvalidError, BundleTooLargeError)):
        read_bundle(packed(b"\1" + block[1:] + tail))


@given(
    field=st.integers(0, 511).filter(lambda index: not 148 <= index < 156),
    value=st.integers(0, 255),
)
def test_what_is_accepted_is_read_by_tarfile_alike(field: int, value: int) -> None:
    """One byte of a good header changed, the checksum made right again."""
    block = bytearray(entry(b"dir/file.html", b"content", prefix=b"ui"))
    block[field] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    tar = bytes(block) + END
    try:
        files = read_bundle(packed(tar))
    except (BundleInvalidError, BundleTooLargeError):
        return
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        listed = {
            member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive.getmembers()
            if member.isreg()
        }
    assert listed == files


def test_an_entry_that_claims_too_much_is_refused_unread() -> None:
    with pytest.raises(BundleTooLargeError, match="Entry 'a' is larger"):
        read_bundle(packed(header(b"a", 8**11 - 1) + END))


def test_too_many_entries_are_refused() -> None:
    tar = b"".join(header(b"f%d" % index) for index in range(2001)) + END
    with pytest.raises(BundleTooLargeError, match="2000 entries"):
        read_bundle(packed(tar))


def test_too_many_directories_are_refused() -> None:
    tar = b"".join(header(b"d%d" % index, kind=b"5") for index in range(2001)) + END
    with pytest.raises(BundleTooLargeError, match="2000 entries"):
        read_bundle(packed(tar))
