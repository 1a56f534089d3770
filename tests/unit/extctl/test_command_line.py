"""What the command line says when it is wrong, and that it never shows a traceback."""

import json
import re
from pathlib import Path

import pytest

from extctl import __main__ as entry
from extctl.cli import PANELS
from extctl.failures import HINTS
from shared.errors import ExtensionError
from tests.fixtures.command_line import ExtCtl

TENANT = "00000000-0000-0000-0000-00000000000a"
COMMANDS = [command.__name__ for commands in PANELS.values() for command in commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(extctl: ExtCtl, command: str) -> None:
    told = extctl(command, "--help")
    assert told.code == 0
    assert "--json" in told.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("executions",),
        ("executions", "--tenant", "not-a-uuid"),
        ("executions", "--tenant", TENANT, "--limit", "0"),
        ("executions", "--tenant", TENANT, "--status", "fine"),
        ("install", "--tenant", TENANT),
        ("token", "--tenant", TENANT, "--minutes", "100000"),
        ("up", "--runners", "0"),
        ("up", "--gateway-port", "70000"),
        ("keygen", "--algorithm", "rot13"),
    ],
)
def test_a_wrong_command_line_exits_with_2(extctl: ExtCtl, arguments: tuple[str, ...]) -> None:
    assert extctl(*arguments).code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("executions", "--tenant", TENANT),
        ("install", "acme.x", "--tenant", TENANT),
        ("uninstall", "acme.x", "--tenant", TENANT),
        ("enable", "acme.x", "--tenant", TENANT),
        ("disable", "acme.x", "--tenant", TENANT),
        ("update", "acme.x", "--tenant", TENANT),
        ("token", "--tenant", TENANT),
        ("call", "GET", "/api/ext/acme.x/y", "--tenant", TENANT),
        ("publish", "."),
        ("keygen", "--trust"),
    ],
)
def test_without_a_stack_it_says_how_to_start_one(
    extctl: ExtCtl, arguments: tuple[str, ...]
) -> None:
    told = extctl(*arguments, "--json")
    assert told.code == 3
    assert told.out == ""
    assert "extctl up" in told.error["hint"]


def test_keygen_writes_no_key_when_it_cannot_be_trusted(extctl: ExtCtl, tmp_path: Path) -> None:
    extctl("keygen", "--trust")
    assert list(tmp_path.iterdir()) == []


def test_a_bug_is_one_line_and_a_log(
    extctl: ExtCtl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> object:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(entry, "build_app", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = extctl("up")
    assert told.code == 70
    assert "secret detail" not in told.err
    found = re.search(r"in (\S+\.log)", told.err)
    assert found
    assert "secret detail" in Path(found[1]).read_text()
    assert Path(found[1]).stat().st_mode & 0o077 == 0


def test_an_error_with_json_is_one_object_on_standard_error(extctl: ExtCtl) -> None:
    told = extctl("token", "--tenant", TENANT, "--json")
    assert set(json.loads(told.err)) == {"error"}
    assert set(told.error) == {"reason", "message", "hint", "faults"}


def test_a_taken_port_is_told_before_anything_starts(extctl: ExtCtl, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = extctl("up", "--data", tmp_path / "s", "--gateway-port", str(port), "--json")
    assert told.code == 1
    assert f"{port} is taken" in told.error["message"]
    assert not (tmp_path / "s").exists()


def test_every_hint_belongs_to_an_error_of_the_table() -> None:
    assert set(HINTS) <= set(ExtensionError.table())


@pytest.mark.parametrize("dsn", ["mysql://u@h/db", "postgresql://u@h", "nonsense"])
def test_a_malformed_dsn_is_refused_without_being_repeated(
    extctl: ExtCtl, tmp_path: Path, dsn: str
) -> None:
    told = extctl("up", "--data", tmp_path / "s", "--postgres", dsn, "--json")
    assert told.code == 1
    assert dsn not in told.err
