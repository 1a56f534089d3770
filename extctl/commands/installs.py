"""`extctl install`, `uninstall`, `enable`, `disable`, `update`: what a tenant has."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from extctl.client import RegistryClient, registry_client
from extctl.console import Console, facts
from extctl.options import DEFAULT_STACK, AsJson, Config, Extension, Grants, Stack, Tenant, Version
from extctl.records import Install, as_data
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock

Told = TypeVar("Told")


def install(
    extension: Extension,
    *,
    tenant: Tenant,
    version: Version = "",
    grant: Grants = None,
    config: Config = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Install an extension for a tenant."""
    told, warnings = _ask(
        stack,
        lambda client: client.install(
            tenant, extension, version=version, capabilities=grant, config_json=config
        ),
    )
    _show(told, warnings, as_json=as_json)


def update(
    extension: Extension,
    *,
    tenant: Tenant,
    version: Version = "",
    grant: Grants = None,
    config: Config = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Move an install to another version, or change its grants or config."""
    told, warnings = _ask(
        stack,
        lambda client: client.update(
            tenant, extension, version=version, capabilities=grant, config_json=config
        ),
    )
    _show(told, warnings, as_json=as_json)


def uninstall(
    extension: Extension, *, tenant: Tenant, stack: Stack = DEFAULT_STACK, as_json: AsJson = False
) -> None:
    """Remove an install with its grants, config and stored records."""
    changed = _ask(stack, lambda client: client.uninstall(tenant, extension))
    shown = f"{extension} was removed." if changed else f"{extension} was not installed."
    Console(as_json=as_json).result({"extension": extension, "changed": changed}, shown)


def enable(
    extension: Extension, *, tenant: Tenant, stack: Stack = DEFAULT_STACK, as_json: AsJson = False
) -> None:
    """Let an install be called again."""
    _show(_ask(stack, lambda client: client.enable(tenant, extension)), (), as_json=as_json)


def disable(
    extension: Extension, *, tenant: Tenant, stack: Stack = DEFAULT_STACK, as_json: AsJson = False
) -> None:
    """Stop an install from being called; grants that are out expire within 30 s."""
    _show(_ask(stack, lambda client: client.disable(tenant, extension)), (), as_json=as_json)


def _ask(stack: Path, question: Callable[[RegistryClient], Awaitable[Told]]) -> Told:
    async def ask() -> Told:
        async with registry_client(read_stack_file(stack), clock=SystemClock()) as client:
            return await question(client)

    return asyncio.run(ask())


def _show(told: Install, warnings: Sequence[str], *, as_json: bool) -> None:
    console = Console(as_json=as_json)
    console.warn(warnings)
    shown = {
        "install": told.install_id,
        "extension": f"{told.extension} {told.version}",
        "tenant": told.tenant_id,
        "status": told.status,
        "granted": "  ".join(told.granted_capabilities),
        "config": told.config_json,
    }
    console.result({**as_data(told), "warnings": list(warnings)}, facts(shown))
