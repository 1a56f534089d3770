"""`extctl sbom show`, `find`: what extensions are made of, and which have a component."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from extctl.command_group import CommandGroup
from extctl.console import Console, table_of
from extctl.options import DEFAULT_STACK, AsJson, Extension, Stack, Version
from extctl.published_client import ComponentUse, published_client
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock


def show(
    extension: Extension,
    *,
    version: Version = "",
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Print a version's bill of materials to the byte; with --json inside of our own document."""
    kind, document = asyncio.run(_ask_for_document(stack, extension, version))
    if as_json:
        Console(as_json=True).result({"format": kind, "document": json.loads(document)}, "")
        return
    sys.stdout.buffer.write(document)
    sys.stdout.buffer.flush()


def find(
    component: Annotated[
        str,
        typer.Argument(
            metavar="COMPONENT", help='A name, or a package URL such as "pkg:npm/left-pad".'
        ),
    ],
    *,
    component_version: Annotated[
        str, typer.Option("--component-version", help="Only this version of the component.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")
    ] = 200,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """List the versions of extensions that contain a component."""
    found = asyncio.run(_ask_for_uses(stack, component, component_version, limit))
    rows = [
        (each.extension, each.version, each.component, each.component_version) for each in found
    ]
    table = table_of(("extension", "version", "component", "its version"), rows)
    Console(as_json=as_json).result({"uses": [asdict(each) for each in found]}, table)


async def _ask_for_document(stack: Path, extension: str, version: str) -> tuple[str, bytes]:
    async with published_client(read_stack_file(stack), clock=SystemClock()) as client:
        return await client.sbom(extension, version)


async def _ask_for_uses(
    stack: Path, component: str, component_version: str, limit: int
) -> Sequence[ComponentUse]:
    async with published_client(read_stack_file(stack), clock=SystemClock()) as client:
        return await client.uses(component, component_version, limit=limit)


SBOM = CommandGroup("sbom", "Bills of materials.", {"show": show, "find": find})
