"""`extctl plan`, `update`, `history`, `rollback`: what an install becomes, and became."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from extctl.commands.installs import ask_about_installs, show_install
from extctl.console import Console, table_of
from extctl.failures import CommandError
from extctl.install_client import InstallClient
from extctl.install_records import Plan
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
from extctl.records import Install

KeepGrants = Annotated[
    bool,
    typer.Option("--keep-grants", help="Run the new version with the capabilities of the old one."),
]
REVISION_COLUMNS = ("revision", "at", "who", "what", "version", "status", "granted", "egress")
PLAN_COLUMNS = ("", "what", "name")


def plan(
    extension: Extension,
    *,
    tenant: Tenant,
    version: Version = "",
    grant: Grants = None,
    config: Config = None,
    keep_grants: KeepGrants = False,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Show what `install` or `update` would change, without changing it."""
    told = ask_about_installs(
        stack,
        tenant,
        NOBODY,
        lambda client: client.plan(
            extension,
            version=version,
            capabilities=grant,
            config_json=config,
            keep_grants=keep_grants,
        ),
    )
    console = Console(as_json=as_json)
    console.warn(told.warnings)
    console.note(f"{told.from_version or 'not installed'} → {told.to_version}")
    console.result(asdict(told), plan_table(told))
    if told.consent_required:
        console.note("Needs consent: `extctl update --accept`, or --keep-grants to do without.")


def update(
    extension: Extension,
    *,
    tenant: Tenant,
    version: Version = "",
    grant: Grants = None,
    config: Config = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Grant all that the new version asks for.")
    ] = False,
    keep_grants: KeepGrants = False,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Move an install to another version; asks before it grants more than is granted."""
    if accept + keep_grants + (grant is not None) > 1:
        raise typer.BadParameter("Give one of --accept, --keep-grants and --grant.")
    console = Console(as_json=as_json)

    async def move(client: InstallClient) -> tuple[Install, Sequence[str]]:
        planned = await client.plan(
            extension,
            version=version,
            capabilities=grant,
            config_json=config,
            keep_grants=keep_grants,
        )
        granted: Sequence[str] | None = grant
        if planned.consent_required and grant is None:
            if not accept:
                _ask_for_consent(console, planned)
            granted = planned.grant_with_consent
            planned = await client.plan(
                extension, version=planned.to_version, capabilities=granted, config_json=config
            )
        return await client.update(
            extension,
            version=planned.to_version,
            capabilities=granted,
            config_json=config,
            keep_grants=keep_grants,
            plan_hash=planned.plan_hash,
        )

    told, warnings = ask_about_installs(stack, tenant, actor, move)
    show_install(told, warnings, as_json=as_json)


def history(
    extension: Extension,
    *,
    tenant: Tenant,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 20,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """List every change of an install, newest first."""
    told = ask_about_installs(
        stack, tenant, NOBODY, lambda client: client.history(extension, limit=limit)
    )
    rows = [
        (
            str(each.revision),
            each.at[:19],
            each.actor or "-",
            each.action,
            each.version,
            each.status,
            "\n".join(each.granted_capabilities),
            "\n".join(each.egress_rules),
        )
        for each in told
    ]
    Console(as_json=as_json).result(
        {"revisions": [asdict(each) for each in told]}, table_of(REVISION_COLUMNS, rows)
    )


def rollback(
    extension: Extension,
    revision: Annotated[int, typer.Argument(min=1, help="From `extctl history`.")],
    *,
    tenant: Tenant,
    actor: Actor,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Restore version, config, grants, egress rules and status of an earlier revision."""
    told, warnings = ask_about_installs(
        stack, tenant, actor, lambda client: client.rollback(extension, revision)
    )
    show_install(told, warnings, as_json=as_json)


def plan_table(told: Plan) -> Table:
    """What would change, line by line."""
    rows = [("?", "capability", name) for name in told.consent_required]
    for what, difference in (
        ("capability", told.capabilities),
        ("endpoint", told.endpoints),
        ("egress host", told.egress_hosts),
        ("config key", told.config_keys),
    ):
        rows += [("+", what, name) for name in difference.added]
        rows += [("-", what, name) for name in difference.removed]
        rows += [(" ", what, name) for name in difference.unchanged]
    return table_of(PLAN_COLUMNS, rows)


def _ask_for_consent(console: Console, planned: Plan) -> None:
    """Returns when a person agreed.

    Raises:
        CommandError: nobody can be asked, or the answer was no.
    """
    missing = ", ".join(planned.consent_required)
    message = f"Version {planned.to_version} asks for {missing}, which was not granted."
    if console.as_json or not sys.stdin.isatty():
        raise CommandError(
            message, hint="Give --accept to grant it, or --keep-grants to run it without."
        )
    console.indent(plan_table(planned))
    if not typer.confirm(f"{message} Grant it?", err=True):
        raise CommandError("Nothing was changed.", hint="--keep-grants runs it without.")
