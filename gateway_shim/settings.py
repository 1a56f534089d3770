"""What can be set about a gateway, and the bounds of each setting."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from shared.settings import Settings

MIB = 1024 * 1024
MAX_PORT = 65_535

_LISTEN = re.compile(r"(?P<host>[^\s:]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})", re.ASCII)


def _listen_address(text: str) -> str:
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > MAX_PORT:
        raise ValueError("it must be host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return text


Claim = Annotated[str, Field(min_length=1, max_length=128)]


class GatewaySettings(Settings):
    """Settings of `python -m gateway_shim`."""

    prefix: ClassVar[str] = "GATEWAY_"

    listen: Annotated[str, AfterValidator(_listen_address)] = Field(
        default="127.0.0.1:8080", description="Where HTTP is served, host:port; port 0 is any."
    )
    registry_target: str = Field(
        min_length=1, description="The registry's gRPC target, such as 127.0.0.1:7401."
    )
    runner_target: str = Field(
        min_length=1,
        description="The runners' gRPC target: host:port, dns:///name:port, or ipv4:a:1,b:2.",
    )
    service_key_file: Path = Field(
        description="PEM file of the gateway's own Ed25519 private key (PKCS#8)."
    )
    jwks: str = Field(
        min_length=1,
        description="Key set that verifies callers' tokens: a file's path, or an http(s) URL.",
    )
    token_issuer: str = Field(min_length=1, description="The `iss` that a token must have.")
    token_audience: str = Field(min_length=1, description="The `aud` that a token must have.")
    tenant_claim: Claim = Field(default="tenant", description="The claim with the tenant's UUID.")
    user_id_claim: Claim = Field(default="sub", description="The claim with the user's id.")
    user_email_claim: Claim = Field(default="email", description="The claim with the e-mail.")
    user_name_claim: Claim = Field(default="name", description="The claim with the user's name.")
    user_type_claim: Claim = Field(
        default="user_type", description='The claim with the kind of user, such as "internal".'
    )
    client_name_claim: Claim = Field(
        default="client_name", description="The claim with the name of the user's company."
    )
    client_id_claim: Claim = Field(
        default="client_id", description="The claim with the id of the user's company."
    )
    leeway_seconds: int = Field(
        default=10, ge=0, le=30, description="How far clocks may differ when a token is judged."
    )
    resolve_cache_ms: int = Field(
        default=5000,
        ge=0,
        le=30_000,
        description="How long a resolved install is used without asking the registry again.",
    )
    resolve_timeout_ms: int = Field(
        default=5000, ge=100, le=30_000, description="How long the registry may take to resolve."
    )
    timeout_ms: int = Field(
        default=30_000, ge=100, le=300_000, description="How long an extension may take to answer."
    )
    max_body_bytes: int = Field(
        default=10 * MIB, ge=0, le=64 * MIB, description="The largest request and response body."
    )
    body_timeout_ms: int = Field(
        default=30_000, ge=100, le=300_000, description="How long a request's body may take."
    )
    max_connections: int = Field(
        default=2048, ge=1, description="HTTP connections that are served at the same time."
    )
    shutdown_seconds: int = Field(
        default=10, ge=0, le=300, description="How long running calls may finish at shutdown."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least severe log event that is written."
    )

    @property
    def address(self) -> tuple[str, int]:
        """`listen` as host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
