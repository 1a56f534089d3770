"""`extctl token`: a development user's token, for trying the gateway by hand."""

from datetime import timedelta
from typing import Annotated, Final

import typer

from extctl.console import Console
from extctl.dev_stack.keys import load_signing_key
from extctl.failures import CommandError
from extctl.options import DEFAULT_STACK, AsJson, Stack, Tenant
from extctl.stack_file import StackFile, read_stack_file
from extctl.user_token import UserClaims, mint_user_token
from shared.clock import SystemClock

DEFAULT_USER: Final = "developer"
DEFAULT_LIFETIME: Final = timedelta(hours=1)
_MAX_MINUTES: Final = 24 * 60

User = Annotated[str, typer.Option("--user", metavar="ID", help="The user's id.")]


def token(
    *,
    tenant: Tenant,
    user: User = DEFAULT_USER,
    email: Annotated[str, typer.Option("--email", help="The user's e-mail address.")] = "",
    name: Annotated[str, typer.Option("--name", help="The user's name.")] = "",
    user_type: Annotated[
        str, typer.Option("--user-type", help='Such as "internal" or "client".')
    ] = "internal",
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, max=_MAX_MINUTES, help="How long it is valid.")
    ] = 60,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Mint a user token that the stack's gateway accepts."""
    claims = UserClaims(tenant_id=tenant, user_id=user, email=email, name=name, user_type=user_type)
    lifetime = timedelta(minutes=minutes)
    minted = mint_for(read_stack_file(stack), claims, lifetime=lifetime)
    Console(as_json=as_json).result(
        {"token": minted, "expires_in_seconds": int(lifetime.total_seconds())}, minted
    )


def mint_for(
    stack: StackFile, claims: UserClaims, *, lifetime: timedelta = DEFAULT_LIFETIME
) -> str:
    """A token for the gateway of `stack`.

    Raises:
        CommandError: the stack has no development issuer, or its key cannot be read.
    """
    if stack.token_key_file is None:
        raise CommandError(
            "This stack has no development token issuer.",
            hint="Get a token from its identity provider, and give it with --token.",
        )
    return mint_user_token(
        claims,
        key=load_signing_key(stack.token_key_file),
        issuer=stack.token_issuer,
        audience=stack.token_audience,
        lifetime=lifetime,
        clock=SystemClock(),
    )
