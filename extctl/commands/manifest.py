"""`extctl manifest schema`, `check`: what a manifest may say, and whether one does."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from extctl.bundling import read_directory
from extctl.command_group import CommandGroup
from extctl.console import Console, facts
from extctl.offline_checks import check_files
from extctl.options import DEFAULT_STACK, AsJson, Stack
from extctl.published_client import published_client
from extctl.stack_file import read_stack_file
from shared.bundles.manifest import manifest_schema
from shared.clock import SystemClock


def schema(
    *,
    of_registry: Annotated[
        bool, typer.Option("--of-registry", help="Ask the running registry; else this extctl's.")
    ] = False,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Print the JSON Schema of manifest.json, for editors."""
    document = json.loads(asyncio.run(_ask(stack))) if of_registry else manifest_schema()
    Console(as_json=as_json).result(document, json.dumps(document, indent=2))


def check(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Holds manifest.json and dist/main.wasm.")
    ] = Path(),
    *,
    as_json: AsJson = False,
) -> None:
    """Check an extension without packing it, and tell everything that is wrong with it."""
    console = Console(as_json=as_json)
    manifest, warnings = check_files(read_directory(directory))
    console.warn(warnings)
    extension = f"{manifest.publisher}.{manifest.name}"
    console.result(
        {"extension": extension, "version": manifest.version, "warnings": list(warnings)},
        facts(
            {
                "extension": f"{extension} {manifest.version}",
                "runtime": manifest.runtime,
                "capabilities": "  ".join(manifest.capabilities) or "none but everyone's",
                "endpoints": "\n".join(
                    f"{each.method} {each.path}" for each in manifest.api.endpoints
                ),
            }
        ),
    )


async def _ask(stack: Path) -> str:
    async with published_client(read_stack_file(stack), clock=SystemClock()) as client:
        return await client.manifest_schema()


MANIFEST = CommandGroup(
    "manifest", "What an extension says about itself.", {"schema": schema, "check": check}
)
