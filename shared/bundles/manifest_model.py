"""The manifest: what an extension says about itself, in `manifest.json` at the bundle's root."""

from typing import Annotated, Final, Literal

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
    Topic,
    VersionText,
)

MIB: Final = 1024 * 1024


class _Part(BaseModel):
    """Frozen, and closed: a field that we do not know is a fault, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EndpointLimits(_Part):
    """What one call of an endpoint may take; the platform's own limits are never passed."""

    timeout_ms: Annotated[int, Field(strict=True, ge=10, le=300_000)] | None = None
    memory_mb: Annotated[int, Field(strict=True, ge=4, le=1024)] | None = None
    max_body_bytes: Annotated[int, Field(strict=True, ge=0, le=64 * MIB)] | None = None


class Endpoint(_Part):
    """One route: `method` in upper case, `path` such as `/agreements/:id`.

    `auth` says who may call it: a signed-in user, a machine with a service token, or either.
    """

    method: Method
    path: Route
    handler: Handler
    limits: EndpointLimits | None = None
    auth: Literal["any", "user", "service"] = "any"


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


class EventHandler(_Part):
    """What the extension wants to hear of, and which of its handlers hears it."""

    topic: Topic
    handler: Handler


class EgressSuggestion(_Part):
    """A host that the extension calls: what its installs may be allowed, not what they are.

    No `methods` means any; `port` 0 is the scheme's own.
    """

    scheme: Literal["https", "http"] = "https"
    host: Annotated[str, Field(strict=True, min_length=1, max_length=253)]
    port: Annotated[int, Field(strict=True, ge=0, le=65_535)] = 0
    methods: Annotated[tuple[Method, ...], Field(max_length=16)] = ()


class Manifest(_Part):
    """Manifest v2. `capabilities` are canonical and each there once.

    `version` may be `X.Y.*`; `config_schema` is in the language of `shared.bundles.config_schema`;
    `sbom` is a file of the bundle, SPDX or CycloneDX as JSON. Nothing acts on the last group.
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
    config_schema: dict[str, JsonValue] | None = None
    egress: Annotated[tuple[EgressSuggestion, ...], Field(max_length=100)] = ()
    events: Annotated[tuple[EventHandler, ...], Field(max_length=100)] = ()
    sbom: BundlePath | None = None

    assets: Annotated[tuple[Text, ...], Field(max_length=500)] = ()
    entry: BundlePath | None = None
    precompiled: Annotated[dict[str, Text], Field(max_length=64)] = Field(default_factory=dict)
