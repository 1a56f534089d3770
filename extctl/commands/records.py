"""`extctl records`: what an install stored."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from extctl.command_group import CommandGroup
from extctl.console import Console
from extctl.options import DEFAULT_STACK, AsJson, Extension, Stack, Tenant
from extctl.record_export import write_records
from extctl.tenant_data_client import tenant_data_client


def export_records(
    extension: Extension,
    *,
    tenant: Tenant,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="A file that is not there yet.")
    ],
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Write all records of an install to a file, one JSON object a line, values in base64.

    For an export as of one moment, disable the install first.
    """

    async def ask() -> int:
        async with tenant_data_client(stack, tenant_id=tenant) as client:
            return await write_records(output, client.export(extension))

    count = asyncio.run(ask())
    Console(as_json=as_json).result(
        {"file": str(output), "records": count}, f"{count} records are in {output}."
    )


RECORDS: Final = CommandGroup(
    "records", "Take out what an install stored.", {"export": export_records}
)
