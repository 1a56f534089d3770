"""The manifest: what an extension says about itself, in `manifest.json` at the bundle's root."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.bundles.manifest_fields import (
    BundlePath,
    CapabilityName,
    Handler,
    Label,
    Method,
    Name,
    Publisher,
    Route,
    Runtime,
    Text,
    VersionText,
)


class _Part(BaseModel):
    """Frozen, and closed: a field that we do not know is a fault, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Endpoint(_Part):
    """One route: `method` in upper case, `path` such as `/agreements/:id`."""

    method: Method
    path: Route
    handler: Handler


class Api(_Part):
    """What the gateway may call."""

    endpoints: Annotated[tuple[Endpoint, ...], Field(max_length=500)]


class MenuHook(_Part):
    """An entry of a menu that opens the extension's page."""

    label: Label


class Hooks(_Part):
    """Where the host shows the extension's page."""

    app_menu: Annotated[MenuHook | None, Field(alias="appMenu")] = None
    client_portal_menu: Annotated[MenuHook | None, Field(alias="clientPortalMenu")] = None


class Ui(_Part):
    """The extension's page: `entry` is a file of the bundle."""

    type: Literal["iframe"]
    entry: BundlePath
    hooks: Hooks = Hooks()


class Manifest(_Part):
    """Manifest v2. `capabilities` are canonical and each there once.

    The last group is read and checked, but nothing acts on it.
    """

    name: Name
    publisher: Publisher
    version: VersionText
    runtime: Runtime
    display_name: Label | None = None
    description: Text | None = None
    capabilities: Annotated[tuple[CapabilityName, ...], Field(max_length=64)] = ()
    ui: Ui | None = None
    api: Api = Api(endpoints=())

    assets: Annotated[tuple[Text, ...], Field(max_length=500)] = ()
    entry: BundlePath | None = None
    events: Annotated[tuple[JsonValue, ...], Field(max_length=100)] = ()
    precompiled: Annotated[dict[str, Text], Field(max_length=64)] = Field(default_factory=dict)
    sbom: BundlePath | None = None
