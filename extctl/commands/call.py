"""`extctl call`: one request through the gateway, as a tenant's user."""

import asyncio
import base64
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from extctl.commands.token import DEFAULT_USER, User, mint_for
from extctl.console import Console, plain
from extctl.failures import CommandError, ExitCode
from extctl.gateway_client import Answer, gateway_client, parse_header
from extctl.options import DEFAULT_STACK, AsJson, Stack, parse_tenant
from extctl.stack_file import read_stack_file
from extctl.user_token import UserClaims
from shared.identifiers import TenantId

_FAILED_FROM = 400
_MAX_BODY_BYTES = 64 * 1024 * 1024


def call(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="Such as GET.")],
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="Such as /api/ext/acme.agreements/agreements.")
    ],
    *,
    tenant: Annotated[
        TenantId | None,
        typer.Option("--tenant", metavar="UUID", parser=parse_tenant, help="Mint a token for it."),
    ] = None,
    user: User = DEFAULT_USER,
    token: Annotated[
        str, typer.Option("--token", envvar="EXTCTL_TOKEN", help="Use this token instead.")
    ] = "",
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", metavar="BODY", help="The body; @FILE reads it, @- stdin."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME:VALUE", help="Repeatable.")
    ] = None,
    fail: Annotated[
        bool, typer.Option("--fail", help="Exit with 1 when the status is 400 or more.")
    ] = False,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Call an extension through the gateway; print the status, headers and body."""
    running = read_stack_file(stack)
    if not token and tenant is not None:
        token = mint_for(running, UserClaims(tenant_id=tenant, user_id=user))
    headers = dict(parse_header(text) for text in header or ())
    body = _body(data)
    if body is not None:
        headers.setdefault("content-type", "application/json")

    async def send() -> Answer:
        async with gateway_client(running.gateway_url) as gateway:
            return await gateway.call(method, path, token=token, body=body, headers=headers)

    answer = asyncio.run(send())
    _show(answer, Console(as_json=as_json))
    if fail and answer.status >= _FAILED_FROM:
        raise typer.Exit(ExitCode.REFUSED)


def _body(data: str | None) -> bytes | None:
    if data is None or not data.startswith("@"):
        return None if data is None else data.encode()
    source = data[1:]
    try:
        if source == "-":
            return sys.stdin.buffer.read(_MAX_BODY_BYTES)
        with Path(source).open("rb") as file:
            return file.read(_MAX_BODY_BYTES)
    except OSError as error:
        raise CommandError(f"The body {source} cannot be read: {error.strerror}.") from None


def _show(answer: Answer, console: Console) -> None:
    style = "green" if answer.status < _FAILED_FROM else "red"
    head = Text(f"{answer.status}", style=f"bold {style}")
    head.append(f"  {answer.took_ms:.1f} ms", style="dim")
    for name, value in answer.headers:
        head.append(f"\n{name}: ", style="dim")
        head.append(plain(value))
    if answer.body:
        head.append("\n\n")
        head.append(plain(answer.text, limit=len(answer.text)))
    console.result(
        {
            "status": answer.status,
            "headers": [{"name": name, "value": value} for name, value in answer.headers],
            **_body_data(answer.body),
            "took_ms": round(answer.took_ms, 3),
        },
        head,
    )


def _body_data(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}
