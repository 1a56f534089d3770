"""How each service of the stack is run: its settings, by environment, and how it shows readiness.

This is the place where the stack knows the services' settings; what their owner sets in our own
environment (`RUNNER_MEMORY_MB=256 extctl up`) is passed on, except for what the stack decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from extctl.dev_stack.databases import Database
from extctl.dev_stack.health import grpc_is_serving, http_answers
from extctl.dev_stack.keys import StackKeys
from extctl.dev_stack.ports import LOOPBACK, Ports
from extctl.dev_stack.processes import ProcessSpec

TOKEN_ISSUER: Final = "extctl-development"  # noqa: S105 - a name, no secret
TOKEN_AUDIENCE: Final = "extension-gateway"  # noqa: S105 - a name, no secret

SERVICE_PREFIXES: Final = ("GATEWAY_", "REGISTRY_", "RUNNER_", "SIGNING_")
"""The beginnings of the services' settings."""

_PASSED_ON: Final = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"})
_PASSED_ON_PREFIXES: Final = ("AWS_", "SIGNING_")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackLayout:
    """What the services of one stack share."""

    directory: Path
    keys: StackKeys
    trust_bundle: Path
    bundle_store_url: str
    environment: Mapping[str, str]
    """Our own environment."""

    @property
    def log_dir(self) -> Path:
        """Where each process writes its log."""
        return self.directory / "logs"

    def environment_of(self, prefix: str, settings: Mapping[str, str]) -> Mapping[str, str]:
        """What a service sees: little of ours, its owner's settings, and the stack's."""
        passed = {
            name: value
            for name, value in self.environment.items()
            if name in _PASSED_ON or name.startswith((*_PASSED_ON_PREFIXES, prefix))
        }
        return {**passed, **settings, "SIGNING_TRUST_BUNDLE": str(self.trust_bundle)}


def registry_spec(layout: StackLayout, ports: Ports, *, database: Database) -> ProcessSpec:
    """The registry, which brings the database's schema up to date before it serves."""
    port, metrics_port = ports.take(), ports.take()
    settings = {
        "REGISTRY_LISTEN": f"{LOOPBACK}:{port}",
        "REGISTRY_METRICS_LISTEN": f"{LOOPBACK}:{metrics_port}",
        "REGISTRY_DATABASE_URL": database.application_url,
        "REGISTRY_MIGRATION_DATABASE_URL": database.owner_url,
        "REGISTRY_BUNDLE_STORE_URL": layout.bundle_store_url,
        "REGISTRY_GRANT_SIGNING_KEY_FILE": str(layout.keys.grant),
        "REGISTRY_ARTEFACT_KEY_FILE": str(layout.keys.artefact),
        "REGISTRY_SERVICE_KEYS_FILE": str(layout.keys.service_key_set),
        "REGISTRY_SECRETS_KEYRING_FILE": str(layout.keys.secrets_keyring),
    }
    return ProcessSpec(
        name="registry",
        module="registry_service",
        environment=layout.environment_of("REGISTRY_", settings),
        log_path=layout.log_dir / "registry.log",
        ports=(port, metrics_port),
        is_ready=partial(grpc_is_serving, f"{LOOPBACK}:{port}"),
    )


def runner_spec(
    layout: StackLayout, ports: Ports, *, number: int, registry_target: str
) -> ProcessSpec:
    """One runner; `number` counts from 1."""
    port, metrics_port = ports.take(), ports.take()
    name = f"runner-{number}"
    settings = {
        "RUNNER_LISTEN": f"{LOOPBACK}:{port}",
        "RUNNER_METRICS_LISTEN": f"{LOOPBACK}:{metrics_port}",
        "RUNNER_REGISTRY_TARGET": registry_target,
        "RUNNER_BUNDLE_STORE_URL": layout.bundle_store_url,
        "RUNNER_SERVICE_KEY_FILE": str(layout.keys.runners[number - 1]),
        "RUNNER_SERVICE_KEYS_FILE": str(layout.keys.service_key_set),
        "RUNNER_GRANT_KEYS_FILE": str(layout.keys.grant_key_set),
        "RUNNER_ARTEFACT_KEY_FILE": str(layout.keys.artefact),
        "RUNNER_CACHE_DIR": str(layout.directory / "cache"),
        "RUNNER_RUNNER_ID": name,
    }
    return ProcessSpec(
        name=name,
        module="runner_service",
        environment=layout.environment_of("RUNNER_", settings),
        log_path=layout.log_dir / f"{name}.log",
        ports=(port, metrics_port),
        is_ready=partial(grpc_is_serving, f"{LOOPBACK}:{port}"),
    )


def gateway_spec(
    layout: StackLayout,
    ports: Ports,
    *,
    port: int | None,
    registry_target: str,
    runner_targets: tuple[str, ...],
) -> ProcessSpec:
    """The gateway, on `port` or on a free one."""
    port = port or ports.take()
    settings = {
        "GATEWAY_LISTEN": f"{LOOPBACK}:{port}",
        "GATEWAY_REGISTRY_TARGET": registry_target,
        "GATEWAY_RUNNER_TARGET": "ipv4:" + ",".join(runner_targets),
        "GATEWAY_SERVICE_KEY_FILE": str(layout.keys.gateway),
        "GATEWAY_JWKS": str(layout.keys.token_key_set),
        "GATEWAY_TOKEN_ISSUER": TOKEN_ISSUER,
        "GATEWAY_TOKEN_AUDIENCE": TOKEN_AUDIENCE,
    }
    return ProcessSpec(
        name="gateway",
        module="gateway_shim",
        environment=layout.environment_of("GATEWAY_", settings),
        log_path=layout.log_dir / "gateway.log",
        ports=(port,),
        is_ready=partial(http_answers, f"http://{LOOPBACK}:{port}/readyz"),
    )
