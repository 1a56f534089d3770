"""`extctl publish`: from a directory or a packed bundle to a version in the catalogue."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from extctl.bundling import CheckedBundle, pack_or_open, read_envelope, signature_path
from extctl.client import registry_client
from extctl.console import Console, facts
from extctl.failures import CommandError
from extctl.options import DEFAULT_STACK, AsJson, Stack
from extctl.owner_key import OwnerKey
from extctl.publishing import create_development_publisher, publish_bundle
from extctl.records import PublishedVersion, as_data
from extctl.stack_file import StackFile, read_stack_file
from shared.clock import SystemClock
from shared.trust.keys import read_private_key, sign_statement


def publish(
    source: Annotated[
        Path, typer.Argument(metavar="DIR|BUNDLE", help="An extension's directory, or its bundle.")
    ],
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="PEM",
            help="Signs it, unless a signature lies beside the bundle; by default the "
            "development publisher's key of the stack.",
        ),
    ] = None,
    owner_key: Annotated[
        Path | None,
        typer.Option(
            "--owner-key",
            metavar="PEM",
            help="An owner's key of the publisher; by default the one that --key names, or the "
            "development publisher's.",
        ),
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Publish without a signature (policy permitting).")
    ] = False,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Pack (if need be), check, sign (if need be), upload and catalogue a version."""
    console = Console(as_json=as_json)
    running = read_stack_file(stack)
    with console.step(f"Check {source}"):
        bundle = pack_or_open(source)
    console.warn(bundle.warnings)
    envelope = b"" if unsigned else _envelope(source, bundle, key, running)
    owner = _owner(owner_key, key, running)
    published = asyncio.run(_publish(running, bundle, owner, envelope, console))
    console.warn(published.warnings)
    shown = {
        "published": f"{bundle.extension} {published.version}",
        "content hash": published.content_hash,
        "signature": f"{published.signature}: {published.signature_detail}",
        "endpoints": "\n".join(published.endpoints),
        "capabilities": "  ".join(published.capabilities),
        "next": f"extctl install {bundle.extension} --tenant UUID",
    }
    console.result({**as_data(published), "extension": bundle.extension}, facts(shown))


def _envelope(source: Path, bundle: CheckedBundle, key: Path | None, stack: StackFile) -> bytes:
    beside = signature_path(source)
    if key is None and source.is_file() and beside.exists():
        return read_envelope(beside)
    key = key or stack.publisher_key_file
    if key is None:
        raise CommandError(
            "The bundle is not signed and the stack has no development publisher.",
            hint="Name your key with --key, or sign it first: `extctl sign`.",
        )
    return sign_statement(read_private_key(key), bundle.subject)


def _owner(owner_key: Path | None, key: Path | None, stack: StackFile) -> OwnerKey:
    clock = SystemClock()
    if owner_key is not None:
        return OwnerKey.read(owner_key, clock=clock)
    by_key = OwnerKey.read_if_possible(key, clock=clock) if key else None
    if by_key is not None:
        return by_key
    if stack.publisher_key_file is not None:
        return OwnerKey.read(stack.publisher_key_file, clock=clock)
    raise CommandError(
        "Publishing takes the key of an owner of the publisher.",
        hint="Name it with --owner-key; `extctl publisher create` says who the first owner is.",
    )


async def _publish(
    stack: StackFile, bundle: CheckedBundle, owner: OwnerKey, envelope: bytes, console: Console
) -> PublishedVersion:
    publisher = bundle.manifest.publisher
    async with registry_client(stack, clock=SystemClock()) as client:
        if await create_development_publisher(client, stack, publisher, owner):
            console.note(
                f'Registered the publisher "{publisher}", owned by the stack\'s development key.'
            )
        with console.transfer(f"Publish {bundle.extension}", len(bundle.data)) as sent:
            return await publish_bundle(client, bundle, owner=owner, envelope=envelope, sent=sent)
