"""Good archives: deterministic, whole, and understood alike by other readers."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from shared.bundles.archive import content_hash_of, pack, read_bundle
from shared.bundles.layout import MIB, BundleLimits
from shared.errors import BundleInvalidError, BundleTooLargeError

SEGMENT = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
    lambda segment: not segment.endswith(".")
)
PATH = st.lists(SEGMENT, min_size=1, max_size=5).map("/".join)


def collide(paths: list[str]) -> bool:
    lowered = [path.lower() for path in paths]
    directories = {
        (prefix.lower(), prefix)
        for path in paths
        for end, character in enumerate(path)
        if character == "/"
        for prefix in [path[:end]]
    }
    folded = [lower for lower, _ in directories]
    return (
        len(set(lowered)) < len(lowered)
        or len(set(folded)) < len(folded)
        or bool(set(folded) & set(lowered))
    )


FILES = st.dictionaries(PATH, st.binary(max_size=2000), max_size=12).filter(
    lambda files: not collide(list(files))
)


@given(files=FILES)
def test_what_was_packed_is_read_back(files: dict[str, bytes]) -> None:
    assert read_bundle(pack(files)) == files


@given(files=FILES)
def test_the_order_of_the_files_does_not_change_the_bytes(files: dict[str, bytes]) -> None:
    assert pack(files) == pack(dict(reversed(files.items())))


@given(files=FILES)
def test_tarfile_reads_what_we_read(files: dict[str, bytes]) -> None:
    tar = zstd.decompress(pack(files))
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        members = archive.getmembers()
        read = {}
        for member in members:
            assert member.isreg()
            assert (member.mode, member.uid, member.gid, member.mtime) == (0o644, 0, 0, 0)
            stream = archive.extractfile(member)
            assert stream is not None
            read[member.name] = stream.read()
    assert read == files
    assert [member.name for member in members] == sorted(files)


@given(files=FILES.filter(bool))
def test_what_tarfile_writes_as_ustar_is_read_alike(files: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert read_bundle(zstd.compress(buffer.getvalue())) == files


def test_what_gnu_tar_writes_as_ustar_is_read_with_its_directories(tmp_path: Path) -> None:
    (tmp_path / "ui" / "deep").mkdir(parents=True)
    (tmp_path / "ui" / "deep" / "page.html").write_bytes(b"<p>")
    (tmp_path / "manifest.json").write_bytes(b"{}")
    tar = subprocess.run(
        ["tar", "--format=ustar", "-C", tmp_path, "-cf", "-", "manifest.json", "ui"],
        check=True,
        capture_output=True,
    ).stdout
    assert read_bundle(zstd.compress(tar)) == {"manifest.json": b"{}", "ui/deep/page.html": b"<p>"}


def test_a_path_over_100_bytes_is_split_as_ustar_wants() -> None:
    path = "/".join(["d" * 49] * 3 + ["f" * 50])
    assert len(path) == 200
    packed = pack({path: b"x"})
    assert read_bundle(packed) == {path: b"x"}
    with tarfile.open(fileobj=io.BytesIO(zstd.decompress(packed)), mode="r:") as archive:
        assert archive.getnames() == [path]


def test_a_file_name_that_no_ustar_header_holds_is_refused() -> None:
    with pytest.raises(BundleInvalidError, match="does not fit a USTAR header"):
        pack({"a/" + "f" * 120: b""})


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a//b", "a/./b", "é", "a b", "x.", ""])
def test_pack_refuses_a_path_that_the_reader_would_refuse(path: str) -> None:
    with pytest.raises(BundleInvalidError):
        pack({path: b""})


def test_pack_refuses_files_that_would_replace_each_other() -> None:
    with pytest.raises(BundleInvalidError, match="differs only in case"):
        pack({"ui/Page.html": b"", "ui/page.html": b""})
    with pytest.raises(BundleInvalidError, match="is a file, not a directory"):
        pack({"ui": b"", "ui/page.html": b""})


def test_pack_refuses_what_the_reader_would_take_for_a_bomb() -> None:
    with pytest.raises(BundleTooLargeError, match="decompression bomb"):
        pack({"zeros": bytes(8 * MIB)})


def test_pack_refuses_more_than_the_limits_allow() -> None:
    limits = BundleLimits(entries=2, unpacked_bytes=4096)
    with pytest.raises(BundleTooLargeError, match="2 entries"):
        pack({"a": b"", "b": b"", "c": b""}, limits=limits)
    with pytest.raises(BundleTooLargeError, match="4096"):
        pack({"a": bytes(4096)}, limits=limits)


def test_the_content_hash_is_that_of_the_archive() -> None:
    assert content_hash_of(b"") == (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
