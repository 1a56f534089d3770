"""The stack file and the lock beside it."""

import json
from pathlib import Path
from typing import Any

import pytest

from extctl.failures import CommandError, ExitCode
from extctl.stack_file import StackFile, is_locked, read_stack_file, stack_lock, write_stack_file


def a_stack(**changes: Any) -> StackFile:
    return StackFile(
        **{
            "gateway_url": "http://127.0.0.1:8080",
            "registry_target": "127.0.0.1:7401",
            "operator_key_file": Path("/keys/operator.pem"),
            "trust_bundle_file": Path("/trust.pem"),
            **changes,
        }
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    stack = a_stack(runner_targets=("127.0.0.1:1", "127.0.0.1:2"), metrics_urls={"a": "http://a"})
    write_stack_file(tmp_path, stack)
    assert read_stack_file(tmp_path) == stack


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    write_stack_file(tmp_path, a_stack())
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600


def test_writing_leaves_nothing_else_behind(tmp_path: Path) -> None:
    write_stack_file(tmp_path, a_stack())
    write_stack_file(tmp_path, a_stack(gateway_url="http://127.0.0.1:8081"))
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]


def test_no_stack_is_told_with_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No stack is running") as caught:
        read_stack_file(tmp_path)
    assert "extctl up" in caught.value.hint
    assert caught.value.exit_code is ExitCode.UNREACHABLE


@pytest.mark.parametrize("content", ["", "{", "[]", '{"gateway_url": 1}', "\ud800"])
def test_a_damaged_file_is_told_as_such(tmp_path: Path, content: str) -> None:
    (tmp_path / "stack.json").write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(CommandError, match="is not a stack file"):
        read_stack_file(tmp_path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_bytes(b" " * 300_000)
    with pytest.raises(CommandError, match="too large"):
        read_stack_file(tmp_path)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    document = json.loads(a_stack().model_dump_json()) | {"surprise": 1}
    (tmp_path / "stack.json").write_text(json.dumps(document))
    with pytest.raises(CommandError, match="surprise"):
        read_stack_file(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    write_stack_file(tmp_path, a_stack(format=2))
    with pytest.raises(CommandError, match="format 2"):
        read_stack_file(tmp_path)


def test_the_file_of_a_killed_stack_is_told_from_a_running_one(tmp_path: Path) -> None:
    write_stack_file(tmp_path, a_stack(pid=1))
    with pytest.raises(CommandError, match="was killed"):
        read_stack_file(tmp_path)
    with stack_lock(tmp_path):
        assert read_stack_file(tmp_path).pid == 1


def test_a_second_stack_in_one_directory_is_refused(tmp_path: Path) -> None:
    with stack_lock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(CommandError, match="already running"), stack_lock(tmp_path):
            pass
    assert not is_locked(tmp_path)
    with stack_lock(tmp_path):
        pass


def test_asking_does_not_take_the_lock(tmp_path: Path) -> None:
    with stack_lock(tmp_path):
        pass
    assert not is_locked(tmp_path)
    with stack_lock(tmp_path):
        pass
