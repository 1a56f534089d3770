"""`extctl policy`: how strict the platform is with one tenant's extensions."""

import asyncio
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from extctl.console import Console, facts
from extctl.options import DEFAULT_STACK, Actor, AsJson, Stack, Tenant
from extctl.policy_client import SERVICE, PolicyClient, TenantPolicy
from extctl.registry_calls import registry_calls
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock
from shared.identifiers import TenantId


class Policy(StrEnum):
    """What can be set."""

    REQUIRE = "require"
    WARN = "warn"
    OFF = "off"
    PLATFORM = "platform"


def policy(
    *,
    tenant: Tenant,
    signing: Annotated[
        Policy | None,
        typer.Option("--signing", help="Set what signatures must be; platform takes it back."),
    ] = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Show how strict the platform is with a tenant, or make it stricter than with all."""
    told = asyncio.run(_ask(stack, tenant, signing, actor))
    own = f"{told.own}, set by {told.set_by or 'nobody in particular'} at {told.set_at}"
    shown = {
        "tenant": told.tenant_id,
        "set for it": own if told.set_at else "nothing: it has the platform's policy",
        "signatures": told.effective,
    }
    Console(as_json=as_json).result(asdict(told), facts(shown))


async def _ask(stack: Path, tenant: TenantId, signing: Policy | None, actor: str) -> TenantPolicy:
    running = read_stack_file(stack)
    async with registry_calls(running, service=SERVICE, clock=SystemClock()) as calls:
        client = PolicyClient(calls)
        if signing is None:
            return await client.find(tenant)
        return await client.set(tenant, signing.value, actor=actor)
