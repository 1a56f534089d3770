"""An export is whole, or there is no file."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from extctl.failures import CommandError
from extctl.record_export import write_records
from shared.errors import RegistryUnavailableError


async def records(*, fail: bool = False) -> AsyncIterator[Mapping[str, object]]:
    yield {"key": "é\n", "value": "AA=="}
    if fail:
        raise RegistryUnavailableError
    yield {"key": "b", "value": ""}


async def test_each_record_is_a_line_for_its_owners_eyes(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert await write_records(path, records()) == 2
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["é\n", "b"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RegistryUnavailableError):
        await write_records(tmp_path / "out", records(fail=True))
    assert not (tmp_path / "out").exists()


async def test_nothing_is_overwritten_or_followed(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link", "none/out"):
        with pytest.raises(CommandError, match="cannot be made"):
            await write_records(tmp_path / name, records())
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()
