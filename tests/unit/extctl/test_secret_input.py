"""A secret's value comes by a pipe, a file or a prompt, and shows nowhere."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from extctl.failures import CommandError
from extctl.secret_input import read_secret

CANARY = "canary-31d0e7"


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    stdin = SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(data))
    monkeypatch.setattr(sys, "stdin", stdin)


def prompt(monkeypatch: pytest.MonkeyPatch, *typed: str) -> None:
    answers = iter(typed)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"v", "v"), (b"v\n", "v"), (b"v\r\n", "v"), (b"v\n\n", "v\n"), (b" v ", " v "),
     ("é".encode(), "é"), (b"x" * 16_384 + b"\n", "x" * 16_384)],
)  # fmt: skip
def test_a_pipe_loses_the_line_end_that_echo_adds(
    monkeypatch: pytest.MonkeyPatch, data: bytes, text: str
) -> None:
    pipe(monkeypatch, data)
    assert read_secret(None).reveal() == text


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * 16_385, b"x" * 10_000_000, b"\xff"])
def test_what_is_no_secret_is_refused(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    pipe(monkeypatch, data)
    with pytest.raises(CommandError):
        read_secret(None)


def test_a_file_is_taken_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"v\n")
    assert read_secret(tmp_path / "secret").reveal() == "v\n"
    with pytest.raises(CommandError, match="cannot be read"):
        read_secret(tmp_path / "none")
    with pytest.raises(CommandError, match="cannot be read"):
        read_secret(tmp_path)


def test_what_is_typed_is_typed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt(monkeypatch, CANARY, CANARY)
    assert read_secret(None).reveal() == CANARY
    prompt(monkeypatch, CANARY, "other")
    with pytest.raises(CommandError, match="not alike") as told:
        read_secret(None)
    assert CANARY not in told.value.message + told.value.hint
