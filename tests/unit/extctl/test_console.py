"""Text of others never steers a terminal."""

import json

import pytest

from extctl.console import Console, facts, plain, table_of


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b31m", "\r", "\x00", "\u202e", "\x7f"])
def test_what_a_terminal_obeys_is_replaced(evil: str) -> None:
    assert plain(f"a{evil}b").startswith("a\N{REPLACEMENT CHARACTER}")
    assert evil not in plain(f"a{evil}b")


def test_ordinary_text_stays() -> None:
    assert plain("Grüße, 世界\n\tend") == "Grüße, 世界\n\tend"


def test_long_text_is_cut() -> None:
    assert plain("x" * 50, limit=10) == "x" * 10 + "…"


def test_markup_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.result({}, facts({"name": "[bold]x[/bold]"}))
    console.result({}, table_of(("a",), [("[red]y",)]))
    out = capsys.readouterr().out
    assert "[bold]x[/bold]" in out
    assert "[red]y" in out


def test_json_is_all_that_json_prints(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(as_json=True)
    with console.step("work"), console.transfer("send", 10) as sent:
        sent(10)
    console.note("by the way")
    console.warn(["careful"])
    console.indent("detail")
    console.result({"text": "ü\x1b"}, "shown")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"text": "ü\x1b"}
    assert err == ""


def test_a_failed_step_is_marked_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), Console().step("work"):
        raise ValueError("no")
    assert capsys.readouterr().err.startswith("✗ work")
