"""`extctl publisher …`: who owns a publisher's name, and giving an extension to another one."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from extctl.command_group import CommandGroup
from extctl.console import Console, facts, table_of
from extctl.failures import CommandError
from extctl.options import DEFAULT_STACK, Actor, AsJson, Extension, Stack
from extctl.owner_key import OwnerKey
from extctl.publisher_client import Publisher, PublisherClient, publisher_client
from extctl.stack_file import StackFile, read_stack_file
from shared.clock import SystemClock
from shared.tokens.keys import MAX_JWK_BYTES, PublicKey

Told = TypeVar("Told")

Name = Annotated[str, typer.Argument(metavar="PUBLISHER", help="The publisher's name.")]
To = Annotated[str, typer.Option("--to", metavar="PUBLISHER", help="Who is to have it.")]
Owner = Annotated[
    Path | None,
    typer.Option(
        "--owner-key",
        "--key",
        metavar="PEM",
        help="An owner's Ed25519 key; by default the stack's development publisher's.",
    ),
]


def create(
    publisher: Name,
    *,
    owner_key: Owner = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Register a publisher; the key's holder is its first owner."""
    told = _ask(
        stack, lambda client, file: client.create(publisher, _owner(owner_key, file), actor=actor)
    )
    _show(told, as_json=as_json)


def show(publisher: Name, *, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """List the owners of a publisher."""
    _show(_ask(stack, lambda client, _: client.show(publisher)), as_json=as_json)


def public_key(
    *, owner_key: Owner = None, stack: Stack = DEFAULT_STACK, as_json: AsJson = False
) -> None:
    """Print the public half of a key as a JWK: what an owner needs to add you."""
    # a key that is named needs no stack
    file = read_stack_file(stack) if owner_key is None else None
    key = _owner(owner_key, file).key
    jwk = PublicKey.from_jwk(json.dumps(key.public_jwk())).jwk
    Console(as_json=as_json).result({"key_id": key.key_id, "public_jwk": jwk}, jwk)


def add_owner(
    publisher: Name,
    *,
    add: Annotated[
        Path,
        typer.Option(
            "--add",
            metavar="JWK",
            help="A file with the new owner's public key: `extctl publisher public-key` makes it.",
        ),
    ],
    owner_key: Owner = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Let another key's holder own the publisher too."""
    new = _read_jwk(add)
    told = _ask(
        stack,
        lambda client, file: client.add_owner(publisher, new, by=_owner(owner_key, file)),
    )
    _show(told, as_json=as_json)


def remove_owner(
    publisher: Name,
    *,
    remove: Annotated[
        str, typer.Option("--remove", metavar="KEY_ID", help="Which: `extctl publisher show`.")
    ],
    owner_key: Owner = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Take the publisher away from an owner; the last one stays."""
    told = _ask(
        stack,
        lambda client, file: client.remove_owner(publisher, remove, by=_owner(owner_key, file)),
    )
    _show(told, as_json=as_json)


def offer(
    extension: Extension,
    *,
    to: To,
    owner_key: Owner = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Offer an extension to another publisher; an owner of the present one signs."""
    until = _ask(
        stack, lambda client, file: client.offer(extension, to, by=_owner(owner_key, file))
    )
    Console(as_json=as_json).result(
        {"extension": extension, "to": to, "expires_at": until},
        facts(
            {
                "offered": f"{extension} to {to}",
                "until": until,
                "next": f"extctl publisher accept {extension} --to {to} --owner-key THEIRS.pem",
            }
        ),
    )


def accept(
    extension: Extension,
    *,
    to: To,
    owner_key: Owner = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Take an extension that was offered; an owner of the receiving publisher signs."""
    named = _ask(
        stack, lambda client, file: client.accept(extension, to, by=_owner(owner_key, file))
    )
    Console(as_json=as_json).result(
        {"extension": named}, f"It is {named} now; ids, versions and installs stay."
    )


PUBLISHER: Final = CommandGroup(
    "publisher",
    "Who owns a publisher's name, and giving an extension to another publisher.",
    {
        "create": create,
        "show": show,
        "public-key": public_key,
        "add-owner": add_owner,
        "remove-owner": remove_owner,
        "offer": offer,
        "accept": accept,
    },
)


def _owner(path: Path | None, stack: StackFile | None) -> OwnerKey:
    path = path or (stack.publisher_key_file if stack else None)
    if path is None:
        raise CommandError(
            "The stack has no development publisher whose key could be meant.",
            hint="Name an owner's key with --owner-key; `extctl keygen` makes one.",
        )
    return OwnerKey.read(path, clock=SystemClock())


def _read_jwk(path: Path) -> PublicKey:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JWK_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    return PublicKey.from_jwk(content.decode(errors="replace").strip())


def _ask(stack: Path, question: Callable[[PublisherClient, StackFile], Awaitable[Told]]) -> Told:
    file = read_stack_file(stack)

    async def ask() -> Told:
        async with publisher_client(file, clock=SystemClock()) as client:
            return await question(client, file)

    return asyncio.run(ask())


def _show(publisher: Publisher, *, as_json: bool) -> None:
    rows = [(owner.key_id, owner.added_at) for owner in publisher.owners]
    Console(as_json=as_json).result(
        asdict(publisher),
        table_of(("owner", "since"), rows, title=f"Publisher {publisher.publisher}"),
    )
