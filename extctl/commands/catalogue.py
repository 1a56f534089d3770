"""`extctl search` and `extctl audit`: what there is to install, and who changed it."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Final

import typer

from extctl.catalogue_client import catalogue_client
from extctl.catalogue_records import AuditEvent, CatalogueEntry
from extctl.console import Console, table_of
from extctl.options import DEFAULT_STACK, AsJson, Stack
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock

Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")]
DEFAULT_LIMIT: Final = 100


class Status(StrEnum):
    """A status that a version can have."""

    PUBLISHED = "published"
    YANKED = "yanked"
    QUARANTINED = "quarantined"


def search(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="Part of a name or description, in any case.")
    ] = "",
    *,
    publisher: Annotated[str, typer.Option("--publisher", help="Only of this publisher.")] = "",
    runtime: Annotated[
        str, typer.Option("--runtime", help='Only with this runtime, such as "wasm-js@1".')
    ] = "",
    capability: Annotated[
        str,
        typer.Option("--capability", help='Only those that ask for it, such as "storage.kv".'),
    ] = "",
    status: Annotated[
        Status | None, typer.Option("--status", help="Only those with a version of this status.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """List the extensions of the catalogue, by publisher and name."""

    async def ask() -> Sequence[CatalogueEntry]:
        async with catalogue_client(read_stack_file(stack), clock=SystemClock()) as client:
            return await client.search(
                publisher=publisher,
                text=text,
                runtime=runtime,
                capability=capability,
                status=status.value if status else "",
                limit=limit,
            )

    told = asyncio.run(ask())
    rows = [(each.extension, each.latest_version or "-", each.display_name) for each in told]
    Console(as_json=as_json).result(
        {"entries": [asdict(each) for each in told]},
        table_of(("extension", "latest", "name"), rows),
    )


def audit(
    about: Annotated[
        str,
        typer.Argument(
            metavar="[ABOUT]", help='A publisher (with its extensions), or "publisher.name".'
        ),
    ] = "",
    *,
    limit: Limit = DEFAULT_LIMIT,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """List who changed what in the catalogue, newest first."""

    async def ask() -> Sequence[AuditEvent]:
        async with catalogue_client(read_stack_file(stack), clock=SystemClock()) as client:
            return await client.audit(about=about, limit=limit)

    told = asyncio.run(ask())
    rows = [(each.at[:19], each.actor, each.action, each.about, _detail(each)) for each in told]
    Console(as_json=as_json).result(
        {"events": [asdict(each) for each in told]},
        table_of(("when", "who", "what", "about", "detail"), rows),
    )


def _detail(event: AuditEvent) -> str:
    return "  ".join(f"{name}: {value}" for name, value in event.detail.items() if value)
