"""`extctl watch`: what caches of installs are told, as it happens."""

import asyncio
from dataclasses import fields
from typing import Annotated

import typer

from extctl.console import Console
from extctl.install_client import each_change
from extctl.options import DEFAULT_STACK, AsJson, Stack
from shared.install_changes import Change, InstallChange, VersionChange


def watch(
    *,
    count: Annotated[
        int, typer.Option("--count", min=0, help="Stop after so many; 0 is never.")
    ] = 0,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Show changes of installs and quarantines of all tenants, until Ctrl-C."""
    console = Console(as_json=as_json)
    seen = 0

    def told(change: Change) -> bool:
        nonlocal seen
        seen += 1
        console.line(data_of(change), text_of(change))
        return seen != count

    asyncio.run(each_change(stack, told))


def data_of(change: Change) -> dict[str, object]:
    """A change as one line of JSON."""
    values = {field.name: getattr(change, field.name) for field in fields(change)}
    kind = type(change).__name__.removesuffix("Change").lower()
    return {
        "event": kind,
        **{name: v if isinstance(v, bool | int) else str(v) for name, v in values.items()},
    }


def text_of(change: Change) -> str:
    """A change for a person."""
    match change:
        case InstallChange():
            return (
                f"install {change.install_id} of tenant {change.tenant_id}: "
                f"revision {change.revision}"
            )
        case VersionChange():
            became = "quarantined" if change.quarantined else "freed"
            return f"version {change.version_id} was {became} ({change.content_hash})"
    return "resync: something may have been missed; forget everything"
