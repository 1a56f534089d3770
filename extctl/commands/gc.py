"""`extctl gc`: deletes stored objects that no version refers to."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from extctl.console import Console
from extctl.options import DEFAULT_STACK, AsJson, Stack
from extctl.published_client import published_client
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock


def gc(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be deleted.")
    ] = False,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Delete what was uploaded and never published, after the registry's grace period."""
    objects, size = asyncio.run(_ask(stack, dry_run=dry_run))
    verb = "would be deleted" if dry_run else "deleted"
    Console(as_json=as_json).result(
        {"objects": objects, "bytes": size, "dry_run": dry_run},
        f"{objects} objects, {size:,} bytes {verb}.",
    )


async def _ask(stack: Path, *, dry_run: bool) -> tuple[int, int]:
    async with published_client(read_stack_file(stack), clock=SystemClock()) as client:
        return await client.collect_garbage(dry_run=dry_run)
