"""`extctl checks`: what was checked when something was published, or why it was refused."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from extctl.console import Console, table_of
from extctl.options import DEFAULT_STACK, AsJson, Extension, Stack
from extctl.published_client import CheckedPublish, published_client
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock


def checks(
    extension: Extension,
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="Only of this version; else of all.")
    ] = "",
    *,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Show what was checked of each version, and of publishes that were refused."""
    found = asyncio.run(_ask(stack, extension, version))
    rows = [
        (
            f"{publish.version or '?'} {publish.outcome}" if not number else "",
            publish.at[:19] if not number else "",
            check.name,
            check.result,
            check.detail,
        )
        for publish in found
        for number, check in enumerate(publish.checks)
    ]
    table = table_of(("version", "at", "check", "result", "what was found"), rows)
    Console(as_json=as_json).result({"publishes": [asdict(each) for each in found]}, table)


async def _ask(stack: Path, extension: str, version: str) -> Sequence[CheckedPublish]:
    async with published_client(read_stack_file(stack), clock=SystemClock()) as client:
        return await client.checks(extension, version)
