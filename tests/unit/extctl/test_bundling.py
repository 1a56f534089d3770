"""Where the parts of a bundle lie on the disk."""

from pathlib import Path

import pytest

from extctl.bundling import signature_path


@pytest.mark.parametrize("directory", [".", "../hello", "sub/.."])
def test_the_signature_of_a_directory_lies_beside_it_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    (tmp_path / "hello" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "hello")
    assert signature_path(Path(directory)).resolve() == tmp_path / "hello.dsse.json"
