"""`extctl trust list`, `check`, `revoke`: whom a trust bundle trusts, and taking it back."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from extctl.command_group import CommandGroup
from extctl.console import Console, table_of
from extctl.moments import parse_moment
from extctl.options import DEFAULT_STACK, AsJson, Stack
from extctl.stack_file import read_stack_file
from extctl.trust_file import read_trust_bundle, revoke_certificate, revoke_key
from extctl.trust_report import EntryReport, report
from shared.clock import SystemClock

File = Annotated[
    Path | None,
    typer.Argument(metavar="[PEM]", help="A trust bundle; else the running stack's."),
]


def list_entries(
    file: File = None, *, stack: Stack = DEFAULT_STACK, as_json: AsJson = False
) -> None:
    """Show whom a trust bundle trusts."""
    entries = report(read_trust_bundle(_path(file, stack)), SystemClock().now())
    rows = [
        (each.state, each.kind, each.key_id[:16], each.name, _names(each.publishers), _span(each))
        for each in entries
    ]
    table = table_of(("state", "kind", "key id", "algorithm or name", "publishers", "valid"), rows)
    Console(as_json=as_json).result({"entries": [_data(each) for each in entries]}, table)


def check(file: File = None, *, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """Read a trust bundle as the services do; say what is wrong, or what will be soon."""
    console = Console(as_json=as_json)
    path, now = _path(file, stack), SystemClock().now()
    entries = report(read_trust_bundle(path), now)
    warnings = [warning for each in entries for warning in each.warnings(now)]
    trusted = sum(each.state == "trusted" for each in entries)
    if not trusted:
        warnings.append("Nobody is trusted now: with the policy `require` nothing can run.")
    console.warn(warnings)
    console.result(
        {"file": str(path), "entries": len(entries), "trusted": trusted, "warnings": warnings},
        f"{path} is a good trust bundle: {trusted} of {len(entries)} entries are trusted now.",
    )


def revoke(
    what: Annotated[
        str, typer.Argument(metavar="KEY_ID|PEM", help="A key's id, or a certificate's file.")
    ],
    *,
    file: Annotated[
        Path | None,
        typer.Option("--trust", metavar="PEM", help="A trust bundle; else the running stack's."),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at", metavar="MOMENT", parser=parse_moment, help="From when on; else at once."
        ),
    ] = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Let a key or certificate vouch for nothing any more: what it signed stops within 30 s."""
    console = Console(as_json=as_json)
    path, moment = _path(file, stack), at or SystemClock().now()
    key_id = (
        revoke_certificate(path, Path(what), at=moment)
        if Path(what).is_file()
        else revoke_key(path, what, at=moment)
    )
    console.note("The services read the trust bundle again within 5 seconds.")
    console.result(
        {"file": str(path), "key_id": key_id, "revoked_at": moment.isoformat()},
        f"Key {key_id[:16]} is revoked from {moment.isoformat(timespec='seconds')} on.",
    )


TRUST: Final = CommandGroup(
    "trust",
    "Show, check and change whom a trust bundle trusts.",
    {"list": list_entries, "check": check, "revoke": revoke},
)


def _path(file: Path | None, stack: Path) -> Path:
    return file or read_stack_file(stack).trust_bundle_file


def _names(publishers: Iterable[str]) -> str:
    return " ".join(publishers) or "all"


def _span(entry: EntryReport) -> str:
    if entry.revoked_at is not None:
        return f"revoked {entry.revoked_at:%Y-%m-%d %H:%M}"
    ends = [
        f"{moment:%Y-%m-%d}" if moment else "…" for moment in (entry.not_before, entry.not_after)
    ]
    return "always" if ends == ["…", "…"] else " to ".join(ends)


def _data(entry: EntryReport) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(entry).items()
    }
