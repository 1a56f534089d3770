"""What is taken out of a bundle: its index, and a subtree on the disk."""

import hashlib
import os
from pathlib import Path

import pytest

from shared.bundles.fetch import BundleFile, bundle_index, extract_subtree
from shared.errors import BundleInvalidError

FILES = {
    "manifest.json": b"{}",
    "ui/index.html": b"<p>",
    "ui/assets/deep/app.js": b"1",
    "uix/other": b"x",
}


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_index_names_every_file_in_order() -> None:
    index = bundle_index({"b": b"", "a": b"xy"})
    assert index == [
        BundleFile("a", 2, hashlib.sha256(b"xy").hexdigest()),
        BundleFile("b", 0, hashlib.sha256(b"").hexdigest()),
    ]


def test_a_subtree_is_written_without_its_prefix(tmp_path: Path) -> None:
    extract_subtree(FILES, "ui/", tmp_path / "out")
    assert tree(tmp_path / "out") == {"index.html": b"<p>", "assets/deep/app.js": b"1"}


def test_everything_is_written_for_an_empty_prefix(tmp_path: Path) -> None:
    extract_subtree(FILES, "", tmp_path / "out")
    assert tree(tmp_path / "out") == FILES


def test_what_is_written_cannot_be_changed(tmp_path: Path) -> None:
    extract_subtree(FILES, "ui/", tmp_path / "out")
    for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]:
        assert path.stat().st_mode & 0o222 == 0


def test_an_existing_directory_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError):
        extract_subtree(FILES, "ui/", tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208 - hidden files count
    assert tree(tmp_path / "out") == {}


def test_a_symlink_in_the_place_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        extract_subtree(FILES, "ui/", tmp_path / "out")
    assert tree(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("path", ["ui/../evil", "ui//etc/evil", "ui/a\0b", "ui/./x"])
def test_a_path_that_no_bundle_has_is_refused_and_nothing_is_left(
    tmp_path: Path, path: str
) -> None:
    with pytest.raises(BundleInvalidError):
        extract_subtree({"ui/a": b"", path: b"evil"}, "ui/", tmp_path / "out")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - hidden files count
