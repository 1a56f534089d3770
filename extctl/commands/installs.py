"""`extctl install`, `installs`, `enable`, `disable`: what a tenant has."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from extctl.console import Console, facts, table_of
from extctl.install_client import InstallClient, install_client
from extctl.options import (
    DEFAULT_STACK,
    NOBODY,
    Actor,
    AsJson,
    Config,
    Extension,
    Grants,
    Stack,
    Tenant,
    Version,
)
from extctl.records import Install, as_data
from shared.identifiers import TenantId

Told = TypeVar("Told")

COLUMNS = ("extension", "version", "status", "revision", "install")


def install(
    extension: Extension,
    *,
    tenant: Tenant,
    version: Version = "",
    grant: Grants = None,
    config: Config = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Install an extension for a tenant."""
    told, changed, warnings = ask_about_installs(
        stack,
        tenant,
        actor,
        lambda client: client.install(
            extension, version=version, capabilities=grant, config_json=config
        ),
    )
    if not changed:
        Console(as_json=as_json).note("It was installed already; nothing changed.")
    show_install(told, warnings, as_json=as_json, changed=changed)


def installs(*, tenant: Tenant, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """List what a tenant has."""
    found = ask_about_installs(stack, tenant, NOBODY, lambda client: client.list_installs())
    rows = [
        (each.extension, each.version, each.status, str(each.revision), each.install_id)
        for each in found
    ]
    Console(as_json=as_json).result(
        {"installs": [as_data(each) for each in found]}, table_of(COLUMNS, rows)
    )


def enable(
    extension: Extension,
    *,
    tenant: Tenant,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Let an install be called again."""
    told = ask_about_installs(stack, tenant, actor, lambda client: client.enable(extension))
    show_install(told, (), as_json=as_json)


def disable(
    extension: Extension,
    *,
    tenant: Tenant,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Stop an install from being called; grants that are out are void at once."""
    told = ask_about_installs(stack, tenant, actor, lambda client: client.disable(extension))
    show_install(told, (), as_json=as_json)


def ask_about_installs(
    stack: Path,
    tenant_id: TenantId,
    actor: str,
    question: Callable[[InstallClient], Awaitable[Told]],
) -> Told:
    """Asks the registry of a stack, for one tenant."""

    async def ask() -> Told:
        async with install_client(stack, tenant_id=tenant_id, actor=actor) as client:
            return await question(client)

    return asyncio.run(ask())


def show_install(
    told: Install, warnings: Sequence[str], *, as_json: bool, changed: bool | None = None
) -> None:
    """Shows an install, and what is to be known about it."""
    console = Console(as_json=as_json)
    console.warn(warnings)
    shown = {
        "install": told.install_id,
        "extension": f"{told.extension} {told.version}",
        "tenant": told.tenant_id,
        "status": told.status,
        "revision": str(told.revision),
        "granted": "\n".join(told.grants),
        "egress": "\n".join(told.egress_rules) or "nothing",
        "config": told.config_json,
    }
    outcome = {} if changed is None else {"changed": changed}
    console.result({**as_data(told), **outcome, "warnings": list(warnings)}, facts(shown))
