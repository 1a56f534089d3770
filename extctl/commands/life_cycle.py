"""`extctl deprecate`, `yank`, `quarantine` and their opposites; `receipt`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from extctl.catalogue_client import CatalogueClient, catalogue_client
from extctl.catalogue_records import Receipt, VersionState
from extctl.console import Console, facts
from extctl.failures import CommandError
from extctl.options import DEFAULT_STACK, Actor, AsJson, Extension, Stack
from extctl.owner_key import OwnerKey
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock

Told = TypeVar("Told")

Version = Annotated[str, typer.Argument(metavar="X.Y.Z", help="Which version.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a sentence that people will read.")]
Owner = Annotated[
    Path | None,
    typer.Option(
        "--owner-key",
        metavar="PEM",
        help="Do it as this owner of the publisher; else as the platform's operator.",
    ),
]


def deprecate(
    extension: Extension,
    version: Version,
    *,
    reason: Reason,
    replacement: Annotated[
        str,
        typer.Option("--use", metavar="X.Y.Z|NAME", help="What to use instead of it."),
    ] = "",
    owner_key: Owner = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Mark a version as no longer recommended; installing it then warns."""
    owner = _owner(owner_key)
    told = _ask(
        stack,
        lambda client: client.deprecate(
            extension, version, reason=reason, replacement=replacement, actor=actor, owner=owner
        ),
    )
    _show(told, as_json=as_json)


def undeprecate(
    extension: Extension,
    version: Version,
    *,
    owner_key: Owner = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Take a deprecation back."""
    owner = _owner(owner_key)
    told = _ask(
        stack,
        lambda client: client.undeprecate(extension, version, actor=actor, owner=owner),
    )
    _show(told, as_json=as_json)


def yank(
    extension: Extension,
    version: Version,
    *,
    reason: Reason,
    owner_key: Owner = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Block new installs of a version; installs that have it go on."""
    owner = _owner(owner_key)
    told = _ask(
        stack,
        lambda client: client.yank(extension, version, reason=reason, actor=actor, owner=owner),
    )
    _show(told, as_json=as_json)


def unyank(
    extension: Extension,
    version: Version,
    *,
    owner_key: Owner = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Take a yank back."""
    owner = _owner(owner_key)
    told = _ask(stack, lambda client: client.unyank(extension, version, actor=actor, owner=owner))
    _show(told, as_json=as_json)


def quarantine(
    extension: Extension,
    version: Version,
    *,
    reason: Annotated[
        str, typer.Option("--reason", help="Why, in a sentence that tenants will read.")
    ] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Take a quarantine back instead.")] = False,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Stop a version everywhere within 30 s, and print the receipt of what was stopped."""
    if lift:
        freed = _ask(stack, lambda client: client.lift_quarantine(extension, version, actor=actor))
        _show(freed, as_json=as_json)
        return
    if not reason.strip():
        raise CommandError("A quarantine needs a reason.", hint="Say why with --reason.")
    told = _ask(
        stack,
        lambda client: client.quarantine(extension, version, reason=reason, actor=actor),
    )
    _show_receipt(told, as_json=as_json)


def receipt(
    receipt_id: Annotated[str, typer.Argument(metavar="RECEIPT", help="From a quarantine.")],
    *,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Show the receipt of a quarantine, with what was heard of the runners since."""
    _show_receipt(_ask(stack, lambda client: client.receipt(receipt_id)), as_json=as_json)


def _owner(path: Path | None) -> OwnerKey | None:
    return OwnerKey.read(path, clock=SystemClock()) if path else None


def _ask(stack: Path, question: Callable[[CatalogueClient], Awaitable[Told]]) -> Told:
    async def ask() -> Told:
        async with catalogue_client(read_stack_file(stack), clock=SystemClock()) as client:
            return await question(client)

    return asyncio.run(ask())


def _show(state: VersionState, *, as_json: bool) -> None:
    use = f" (use {state.replacement})" if state.replacement else ""
    shown = {
        "version": f"{state.extension} {state.version}",
        "status": state.status,
        "deprecated": f"{state.deprecation}{use}",
        "yanked": state.yank,
        "quarantined": state.quarantine,
    }
    Console(as_json=as_json).result(
        asdict(state), facts({name: value for name, value in shown.items() if value})
    )


def _show_receipt(told: Receipt, *, as_json: bool) -> None:
    shown = {
        "receipt": told.receipt_id,
        "stopped": f"{told.extension} {told.version}",
        "content hash": told.content_hash,
        "why": told.reason,
        "by": told.actor,
        "since": told.quarantined_at,
        "effective by": told.effective_by,
        "lifted": told.lifted_at,
        "installs": f"{told.installs}, of which {told.enabled_installs} were enabled",
        "last run": told.last_execution_at,
        "same bytes": "\n".join(f"{other} (not stopped)" for other in told.same_content),
    }
    Console(as_json=as_json).result(
        asdict(told), facts({name: value for name, value in shown.items() if value})
    )
