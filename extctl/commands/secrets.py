"""`extctl secrets`: what an install may know and nobody sees again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from extctl.command_group import CommandGroup
from extctl.console import Console, facts, table_of
from extctl.moments import parse_moment
from extctl.options import DEFAULT_STACK, NOBODY, Actor, AsJson, Extension, Stack, Tenant
from extctl.secret_input import read_secret
from extctl.tenant_data_client import TenantDataClient, tenant_data_client
from shared.identifiers import TenantId

COLUMNS: Final = ("key", "version", "set at", "set by", "expires")

Told = TypeVar("Told")

Key = Annotated[str, typer.Argument(metavar="KEY", help="Its name, such as api.key.")]


def set_secret(
    extension: Extension,
    key: Key,
    *,
    tenant: Tenant,
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from-file", metavar="FILE", help="Read the value from a file, to the byte."
        ),
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            "--expires",
            metavar="MOMENT",
            parser=parse_moment,
            help="When it stops being served, as 2027-12-31T00:00:00Z; by default never.",
        ),
    ] = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Set a secret of an install: from a pipe, a file or a prompt, never from an argument."""
    value = read_secret(from_file)
    told = _ask(
        stack,
        tenant,
        actor,
        lambda client: client.set_secret(extension, key, value, expires_at=expires),
    )
    shown = {
        "key": told.key,
        "version": str(told.version),
        "set by": told.updated_by,
        "expires": told.expires_at or "never",
        "served": "to guests that asked before: within 30 seconds",
    }
    Console(as_json=as_json).result(asdict(told), facts(shown))


def list_secrets(
    extension: Extension, *, tenant: Tenant, stack: Stack = DEFAULT_STACK, as_json: AsJson = False
) -> None:
    """List an install's secrets: names and dates, never values."""
    told = _ask(stack, tenant, NOBODY, lambda client: client.list_secrets(extension))
    rows = [
        (each.key, str(each.version), each.updated_at, each.updated_by, each.expires_at or "never")
        for each in told
    ]
    Console(as_json=as_json).result(
        {"secrets": [asdict(each) for each in told]}, table_of(COLUMNS, rows)
    )


def delete_secret(
    extension: Extension,
    key: Key,
    *,
    tenant: Tenant,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Remove a secret; guests that asked for it before may have it for 30 seconds more."""
    changed = _ask(stack, tenant, actor, lambda client: client.delete_secret(extension, key))
    shown = f"{key} was removed." if changed else f"There was no {key}."
    Console(as_json=as_json).result({"key": key, "changed": changed}, shown)


def _ask(
    stack: Path,
    tenant_id: TenantId,
    actor: str,
    question: Callable[[TenantDataClient], Awaitable[Told]],
) -> Told:
    async def ask() -> Told:
        async with tenant_data_client(stack, tenant_id=tenant_id, actor=actor) as client:
            return await question(client)

    return asyncio.run(ask())


SECRETS: Final = CommandGroup(
    "secrets",
    "Set, list and remove the secrets of an install.",
    {"set": set_secret, "list": list_secrets, "delete": delete_secret},
)
