"""`extctl config`, `egress`: what a tenant lets an install know and reach."""

from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from extctl.commands.installs import ask_about_installs, show_install
from extctl.options import DEFAULT_STACK, Actor, AsJson, Extension, Stack, Tenant
from shared.egress_rules import EgressRule

_EXAMPLE: Final = '"https://api.example.com" or "GET,POST https://*.example.com:8443"'


def parse_egress_rule(text: str) -> EgressRule:
    """Reads a rule as it is shown; what it may say is the registry's to decide.

    Raises:
        typer.BadParameter: it is no rule.
    """
    methods, _, url = text.strip().rpartition(" ")
    try:
        parts = urlsplit(url)
        port = parts.port or 0
    except ValueError:
        raise typer.BadParameter(f"A rule is written as {_EXAMPLE}.") from None
    if not parts.scheme or not parts.netloc or "@" in parts.netloc or parts.path not in ("", "/"):
        raise typer.BadParameter(f"A rule is written as {_EXAMPLE}, without a path.")
    listed = tuple(name for name in methods.replace(",", " ").split() if name)
    return EgressRule(parts.scheme, parts.hostname or "", port, listed)


def config(
    extension: Extension,
    *,
    tenant: Tenant,
    to: Annotated[
        str | None, typer.Option("--set", metavar="JSON", help="Replace it: one JSON object.")
    ] = None,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Show an install's config, or replace it."""
    told = ask_about_installs(
        stack,
        tenant,
        actor,
        lambda client: client.find(extension) if to is None else client.set_config(extension, to),
    )
    show_install(told, (), as_json=as_json)


def egress(
    extension: Extension,
    *,
    tenant: Tenant,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="RULE",
            help=f"Replace the rules by these (repeatable): {_EXAMPLE}.",
        ),
    ] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="Allow nothing.")] = False,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Show which hosts an install may call, or replace the rules."""
    if allow and nothing:
        raise typer.BadParameter("Give either --allow or --nothing.")
    rules = [parse_egress_rule(each) for each in allow or ()]
    told = ask_about_installs(
        stack,
        tenant,
        actor,
        lambda client: (
            client.set_egress_rules(extension, rules)
            if allow or nothing
            else client.find(extension)
        ),
    )
    show_install(told, (), as_json=as_json)
