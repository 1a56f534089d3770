"""What the user sees: results on standard output, everything else on standard error.

With `--json` a result is one JSON document and progress is silent. Text that others wrote (a
manifest, a guest's answer, a log line) passes through `plain`, so that it cannot steer a terminal.
"""

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console as Terminal
from rich.padding import Padding
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from extctl.failures import Failure

_MAX_PLAIN = 4096
_NO_FOLDING = 1000


def plain(text: str, *, limit: int = _MAX_PLAIN) -> str:
    """`text` without what a terminal would obey, cut after `limit` characters."""
    kept = "".join(_shown(character) for character in text[:limit])
    return kept if len(text) <= limit else f"{kept}…"


def _shown(character: str) -> str:
    # Cf holds the marks that reverse the direction of text
    steers = unicodedata.category(character) in {"Cc", "Cf", "Cs"}
    return "\N{REPLACEMENT CHARACTER}" if steers and character not in "\n\t" else character


def table_of(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> Table:
    """A table of text that is shown as it is."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def _terminal(stream: TextIO) -> Terminal:
    # what is no terminal (a file, a pipe, a CI log) has no width to fold lines to
    width = None if stream.isatty() else _NO_FOLDING
    return Terminal(file=stream, highlight=False, soft_wrap=True, width=width)


class Console:
    """Writes for a person, or for a program that asked for JSON."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._out = _terminal(sys.stdout)
        self._err = _terminal(sys.stderr)

    def result(self, data: object, shown: str | Text | Table) -> None:
        """Prints what the command found: `data` as JSON, or `shown` for a person."""
        if self.as_json:
            print(json.dumps(data, indent=2, ensure_ascii=False))  # noqa: T201 - the result itself
        elif isinstance(shown, Table):
            self._print_table(self._out, shown)
        else:
            self._out.print(Text(shown) if isinstance(shown, str) else shown)

    def line(self, data: object, shown: str) -> None:
        """Prints one of a stream of results at once: `data` as a line of JSON, or `shown`."""
        text = json.dumps(data, ensure_ascii=False) if self.as_json else plain(shown)
        print(text, flush=True)  # noqa: T201 - the result itself

    def note(self, text: str, *, style: str = "") -> None:
        """Tells a person something that is not the result."""
        if not self.as_json:
            self._err.print(Text(text, style=style))

    def warn(self, warnings: Sequence[str]) -> None:
        """Shows warnings; with JSON they are part of the result instead."""
        for warning in warnings:
            self.note(f"! {plain(warning)}", style="yellow")

    def indent(self, shown: str | Table) -> None:
        """Shows something as a detail of the step before it."""
        if self.as_json:
            return
        if isinstance(shown, str):
            self._err.print(Text(f"    {plain(shown)}"))
        else:
            self._print_table(self._err, shown, margin=4)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Shows that `title` is going on, and then how long it took."""
        if self.as_json:
            yield
            return
        started = time.monotonic()
        try:
            if self._err.is_terminal:
                with self._err.status(Text(title)):
                    yield
            else:
                yield
        except BaseException:
            self._line("✗", "red", title, started)
            raise
        self._line("✓", "green", title, started)

    @contextmanager
    def transfer(self, title: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
        """Shows a transfer's progress; the function given is told how many bytes more are done."""
        if self.as_json or not self._err.is_terminal:
            with self.step(title):
                yield lambda _more: None
            return
        started = time.monotonic()
        with Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
            console=self._err, transient=True,
        ) as progress:  # fmt: skip
            task = progress.add_task(title, total=total_bytes)
            yield lambda more: progress.advance(task, more)
        self._line("✓", "green", title, started)

    def failure(self, failure: Failure) -> None:
        """Says what was wrong and what to do."""
        if self.as_json:
            print(json.dumps(failure.as_json(), ensure_ascii=False), file=sys.stderr)  # noqa: T201
            return
        reason = f" [{failure.reason}]" if failure.reason else ""
        self._err.print(Text.assemble(("error", "bold red"), f": {plain(failure.message)}{reason}"))
        if failure.faults:
            rows = [(fault.path, fault.message, fault.hint) for fault in failure.faults]
            table = table_of(("where", "what is wrong", "what to do"), rows)
            self._print_table(self._err, table)
        if failure.hint:
            self._err.print(Text.assemble(("hint", "bold"), f": {failure.hint}"))

    def _print_table(self, terminal: Terminal, table: Table, *, margin: int = 0) -> None:
        padded = Padding(table, (0, 0, 0, margin), expand=False)
        if terminal.is_terminal:
            terminal.print(padded, soft_wrap=False)
            return
        with terminal.capture() as captured:
            terminal.print(padded)
        lines = captured.get().splitlines()
        terminal.file.write("".join(f"{line.rstrip()}\n" for line in lines))

    def _line(self, mark: str, style: str, title: str, started: float) -> None:
        took = time.monotonic() - started
        self._err.print(Text.assemble((mark, style), f" {title}", (f"  {took:.2f} s", "dim")))


def facts(pairs: Mapping[str, str]) -> Text:
    """Names and values under each other; a value may have several lines."""
    width = max(map(len, pairs), default=0)
    text = Text()
    for name, value in pairs.items():
        first, *others = plain(value).split("\n")
        text.append(f"{name:<{width}}", style="bold").append(f"  {first}\n")
        for line in others:
            text.append(f"{'':<{width}}  {line}\n")
    text.rstrip()
    return text
