"""What can be set about a registry, and the bounds of each setting."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr

from registry_service.secrets_settings import SecretsSettings
from shared.bundles.s3_client import S3Credentials
from shared.component_compiler import compiler_command
from shared.egress_rules import EgressPolicy, parse_deny_pattern
from shared.settings import Settings
from shared.trust.verification import SigningPolicy


def _deny_list(text: str) -> str:
    for pattern in text.split(","):
        if pattern:
            parse_deny_pattern(pattern)
    return text


def _command_line(text: str) -> str:
    compiler_command(text)
    return text


class MigrationSettings(Settings):
    """Settings of `python -m registry_service migrate`."""

    prefix: ClassVar[str] = "REGISTRY_"

    migration_database_url: SecretStr = Field(
        description="PostgreSQL, as the role that owns the schema and may create roles, such as "
        "postgresql://owner:…@host/database."
    )


class RegistrySettings(SecretsSettings):
    """Settings of `python -m registry_service`."""

    prefix: ClassVar[str] = "REGISTRY_"

    listen: str = Field(
        default="127.0.0.1:7401",
        pattern=r"^.+:[0-9]{1,5}$",
        description="Where gRPC is served, host:port; port 0 is any.",
    )
    metrics_listen: str = Field(
        default="127.0.0.1:0",
        pattern=r"^.+:[0-9]{1,5}$",
        description="Where /metrics is served, host:port; port 0 is any.",
    )
    database_url: SecretStr = Field(
        description="PostgreSQL, as the role extension_app, such as "
        "postgresql://extension_app:…@host/database."
    )
    migration_database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL, as the role that owns the schema; when set, the schema is "
        "brought up to date at start.",
    )
    database_max_connections: int = Field(
        default=16, ge=2, le=500, description="Connections to PostgreSQL at most."
    )
    bundle_store_url: str = Field(
        min_length=1,
        description="Where bundles lie: file:///absolute/path, or "
        "s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1.",
    )
    s3_access_key_id: str = Field(
        default="", description="The S3 access key id; without one, AWS's own chain decides."
    )
    s3_secret_access_key: SecretStr = Field(
        default=SecretStr(""), description="The secret of the S3 access key."
    )
    garbage_grace_hours: int = Field(
        default=24,
        ge=0,
        le=24 * 365,
        description="How many hours an uploaded bundle is kept that no version refers to.",
    )
    compiler: Annotated[str, AfterValidator(_command_line)] = Field(
        default="",
        description="The command line that compiles a component before it is published; by "
        "default this interpreter with -m runner_service.compiler.",
    )
    artefact_key_file: Path | None = Field(
        default=None,
        description="File of 32 random bytes, the runners' RUNNER_ARTEFACT_KEY_FILE too: with it "
        "compiled code is stored for them beside the bundle.",
    )
    signing_trust_bundle: Path = Field(
        validation_alias="SIGNING_TRUST_BUNDLE",
        description="PEM file of the keys whose signatures are trusted; re-read on change.",
    )
    signing_policy: SigningPolicy = Field(
        default=SigningPolicy.REQUIRE,
        description="require, warn or off: what a bundle's signature must be.",
    )
    grant_signing_key_file: Path = Field(
        description="PEM file of the Ed25519 private key (PKCS#8) that signs invocation grants."
    )
    service_keys_file: Path = Field(
        description="Key set (JWKS) of who may call the registry, each key with its role."
    )
    allow_http_egress: bool = Field(
        default=False,
        description="Whether tenants may allow their installs unencrypted calls (http).",
    )
    egress_deny: Annotated[str, AfterValidator(_deny_list)] = Field(
        default="",
        description="Hosts that no install may call, besides those that mean a private network: "
        "names and *.suffixes, separated by commas.",
    )
    reflection: bool = Field(
        default=False, description="Whether gRPC clients may list the services."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least severe log event that is written."
    )

    def egress_policy(self) -> EgressPolicy:
        """What tenants may let their installs call."""
        return EgressPolicy(
            allow_http=self.allow_http_egress,
            deny=[parse_deny_pattern(each) for each in self.egress_deny.split(",") if each],
        )

    def s3_credentials(self) -> S3Credentials | None:
        """What signs requests to S3, if it is set."""
        if not self.s3_access_key_id:
            return None
        return S3Credentials(self.s3_access_key_id, self.s3_secret_access_key.get_secret_value())
