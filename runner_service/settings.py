"""What can be set about a runner, and the bounds of each setting."""

import os
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from runner_service.admission.admission import AdmissionLimits
from runner_service.execution import ExecutionLimits
from runner_service.reporting.registry_reporter import ShippingLimits
from shared.bundles.s3_client import S3Credentials
from shared.settings import Settings
from shared.trust.verification import SigningPolicy

MIB = 1024 * 1024


class RunnerSettings(Settings):
    """Settings of `python -m runner_service`."""

    prefix: ClassVar[str] = "RUNNER_"

    listen: str = Field(
        default="127.0.0.1:7410", description="Where gRPC is served, host:port; port 0 is any."
    )
    metrics_listen: str = Field(
        default="127.0.0.1:0", description="Where /metrics is served, host:port; port 0 is any."
    )
    registry_target: str = Field(
        min_length=1, description="The registry's gRPC target, such as 127.0.0.1:7401."
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
    signing_trust_bundle: Path = Field(
        validation_alias="SIGNING_TRUST_BUNDLE",
        description="PEM file of the keys whose signatures the runner trusts; re-read on change.",
    )
    signing_policy: SigningPolicy = Field(
        default=SigningPolicy.REQUIRE,
        description="require, warn or off: what a bundle's signature must be.",
    )
    service_key_file: Path = Field(
        description="PEM file of the runner's own Ed25519 private key (PKCS#8)."
    )
    service_keys_file: Path = Field(
        description="Key set (JWKS) of who may call the runner, each key with its role."
    )
    grant_keys_file: Path = Field(
        description='Key set (JWKS) that verifies invocation grants; keys of role "registry".'
    )
    cache_dir: Path = Field(
        description="Directory for compiled components, of this user alone (0700); runners of "
        "one machine may share it."
    )
    artefact_key_file: Path | None = Field(
        default=None,
        description="File of 32 random bytes, the registry's REGISTRY_ARTEFACT_KEY_FILE too: with "
        "it the runner takes code that the registry compiled. Without it, it compiles by itself.",
    )
    cache_disk_max_bytes: int = Field(
        default=4096 * MIB, ge=0, description="How much of the cache directory is used."
    )
    cache_memory_max_bytes: int = Field(
        default=512 * MIB, ge=0, description="How many bytes of machine code are kept ready."
    )
    runner_id: str = Field(
        default_factory=lambda: f"runner-{os.getpid()}",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="The name of this runner in the execution log.",
    )
    concurrency: int = Field(
        default_factory=lambda: 2 * (os.cpu_count() or 1),
        ge=1,
        le=256,
        description="Guests that run at once; by default two for each core.",
    )
    queue_limit: int = Field(
        default=64, ge=0, le=10_000, description="Calls that may wait for a guest's turn."
    )
    tenant_limit: int = Field(
        default=32, ge=1, le=10_000, description="Calls of one tenant that may run or wait."
    )
    default_timeout_ms: int = Field(
        default=30_000, ge=10, le=300_000, description="How long a call may take by default."
    )
    max_timeout_ms: int = Field(
        default=30_000, ge=10, le=300_000, description="How long a call may take at most."
    )
    computing_ms: int = Field(
        default=5000,
        ge=10,
        le=300_000,
        description="How long a guest may compute, without the time of what it asks its host for.",
    )
    memory_mb: int = Field(
        default=128, ge=4, le=1024, description="MiB of memory that one guest may use."
    )
    max_body_bytes: int = Field(
        default=10 * MIB, ge=0, le=64 * MIB, description="The largest request and response body."
    )
    flush_timeout_ms: int = Field(
        default=10_000,
        ge=0,
        le=300_000,
        description="How long finished executions are still sent to the registry at shutdown.",
    )
    reflection: bool = Field(
        default=False, description="Whether gRPC clients may list the services."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least severe log event that is written."
    )

    def s3_credentials(self) -> S3Credentials | None:
        """What signs requests to S3, if it is set."""
        if not self.s3_access_key_id:
            return None
        return S3Credentials(self.s3_access_key_id, self.s3_secret_access_key.get_secret_value())

    def admission_limits(self) -> AdmissionLimits:
        """How many calls the runner takes on."""
        return AdmissionLimits(
            running=self.concurrency, waiting=self.queue_limit, per_tenant=self.tenant_limit
        )

    def shipping_limits(self) -> ShippingLimits:
        """How finished executions are sent."""
        return ShippingLimits(flush_seconds=self.flush_timeout_ms / 1000)

    def execution_limits(self) -> ExecutionLimits:
        """What one call may take."""
        return ExecutionLimits(
            default_timeout_ms=min(self.default_timeout_ms, self.max_timeout_ms),
            max_timeout_ms=self.max_timeout_ms,
            computing_ms=self.computing_ms,
            memory_bytes=self.memory_mb * MIB,
        )
