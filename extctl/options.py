"""Options that several commands share, so that they read and behave alike."""

import getpass
from pathlib import Path
from typing import Annotated, Final

import typer

from shared.errors import ArgumentInvalidError
from shared.identifiers import TenantId, parse_uuid

DEFAULT_STACK: Final = Path(".stack")


def parse_tenant(text: str) -> TenantId:
    """Reads a tenant's UUID from the command line."""
    try:
        return TenantId(parse_uuid(text, "a tenant"))
    except ArgumentInvalidError as error:
        raise typer.BadParameter(error.message) from None


def login_name() -> str:
    """Whom the machine takes us for; empty when it does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


Stack = Annotated[
    Path,
    typer.Option(
        "--stack",
        envvar="EXTCTL_STACK",
        metavar="DIR",
        help="The directory of the running stack (what `extctl up --data` named).",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text for people.")
]
Tenant = Annotated[
    TenantId,
    typer.Option("--tenant", metavar="UUID", parser=parse_tenant, help="Which tenant it is about."),
]
Extension = Annotated[
    str,
    typer.Argument(metavar="EXTENSION", help='A registry id, or "publisher.name".'),
]
Version = Annotated[
    str, typer.Option("--version", metavar="X.Y.Z", help="Which version; the latest by default.")
]
Grants = Annotated[
    list[str] | None,
    typer.Option(
        "--grant",
        metavar="CAPABILITY",
        help="A capability to grant (repeatable); by default all that the version asks for.",
    ),
]
Postgres = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        envvar="EXTCTL_POSTGRES",
        metavar="DSN",
        help="Use this PostgreSQL (its user must be allowed to create roles) instead of an "
        "embedded one. Give a DSN with a password by the variable: others can see arguments.",
    ),
]
BundleStoreUrl = Annotated[
    str | None,
    typer.Option(
        "--bundle-store",
        envvar="EXTCTL_BUNDLE_STORE",
        metavar="URL",
        help="file:///directory, or s3://bucket/prefix?endpoint=URL&region=NAME with credentials "
        "in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
]
Actor = Annotated[
    str,
    typer.Option(
        "--actor",
        envvar="EXTCTL_ACTOR",
        metavar="NAME",
        default_factory=login_name,
        show_default="who you are logged in as",
        help="Who asks for the change, for the history.",
    ),
]
NOBODY: Final = ""
Config = Annotated[
    str | None,
    typer.Option("--config", metavar="JSON", help="The install's config: one JSON object."),
]
