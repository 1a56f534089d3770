"""`extctl uninstall`: removes an install, and decides what becomes of its records."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from extctl.console import Console
from extctl.install_client import install_client
from extctl.options import DEFAULT_STACK, Actor, AsJson, Extension, Stack, Tenant
from extctl.record_export import write_records
from extctl.tenant_data_client import tenant_data_client
from shared.identifiers import TenantId


def uninstall(
    extension: Extension,
    *,
    tenant: Tenant,
    keep_data: Annotated[
        bool,
        typer.Option("--keep-data", help="Keep the records for the tenant's next install of it."),
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE",
            help="First write all records to a new file, with the install disabled meanwhile.",
        ),
    ] = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Remove an install with its grants, config and secrets, and its records unless they are kept.

    Of an extension that is not installed any more it removes the records that were kept.
    """

    async def ask() -> tuple[bool, int | None]:
        exported = await _export(stack, tenant, extension, export, actor) if export else None
        async with tenant_data_client(stack, tenant_id=tenant, actor=actor) as client:
            return await client.uninstall(extension, keep_records=keep_data), exported

    changed, exported = asyncio.run(ask())
    shown = f"{extension} was removed." if changed else f"{extension} was not installed."
    if exported is not None:
        shown += f" {exported} records are in {export}."
    result = {"extension": extension, "changed": changed, "exported": exported}
    Console(as_json=as_json).result(result, shown)


async def _export(stack: Path, tenant: TenantId, extension: str, path: Path, actor: str) -> int:
    """Exports with nobody writing; when that fails the install is as it was."""
    async with (
        install_client(stack, tenant_id=tenant, actor=actor) as installs,
        tenant_data_client(stack, tenant_id=tenant, actor=actor) as data,
    ):
        was_enabled = (await installs.find(extension)).status == "enabled"
        await installs.disable(extension)
        try:
            return await write_records(path, data.export(extension))
        except BaseException:
            if was_enabled:
                await installs.enable(extension)
            raise
