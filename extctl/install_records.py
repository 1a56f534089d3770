"""What the registry tells of installs, as commands show it."""

from dataclasses import dataclass

from extctl.records import Install
from shared.egress_rules import EgressRule
from shared.pb.registry.v1 import install_pb2
from shared.pb.registry.v1 import install_service_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Names on both sides of a change."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an install or update would do."""

    plan_hash: str
    from_version: str
    to_version: str
    capabilities: Difference
    endpoints: Difference
    egress_hosts: Difference
    config_keys: Difference
    consent_required: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def grant_with_consent(self) -> tuple[str, ...]:
        """What to grant so that nothing is left to consent to."""
        granted = {*self.capabilities.added, *self.capabilities.unchanged}
        return tuple(sorted(granted | set(self.consent_required)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What one change of an install left behind."""

    revision: int
    actor: str
    at: str
    """ISO 8601, UTC."""
    action: str
    version: str
    status: str
    granted_capabilities: tuple[str, ...]
    egress_rules: tuple[str, ...]
    config_json: str


def install_of(told: install_pb2.TenantInstall) -> Install:
    """An install off the wire."""
    return Install(
        install_id=told.install_id,
        tenant_id=told.tenant_id,
        registry_id=told.registry_id,
        extension=f"{told.publisher}.{told.name}",
        version=told.version,
        content_hash=told.content_hash,
        status=_status(told.status),
        granted_capabilities=tuple(told.granted_capabilities),
        config_json=told.config_json,
        revision=told.revision,
        grants=tuple(
            f"{grant.capability} by {grant.granted_by or '-'} at {grant.granted_at.ToJsonString()}"
            for grant in told.grants
        ),
        egress_rules=tuple(map(egress_text, told.egress_rules)),
    )


def plan_of(told: pb.InstallPlan) -> Plan:
    """A plan off the wire."""
    return Plan(
        plan_hash=told.plan_hash,
        from_version=told.from_version,
        to_version=told.to_version,
        capabilities=_difference(told.capabilities),
        endpoints=_difference(told.endpoints),
        egress_hosts=_difference(told.egress_hosts),
        config_keys=_difference(told.config_keys),
        consent_required=tuple(told.consent_required),
        warnings=tuple(told.warnings),
    )


def revision_of(told: install_pb2.InstallRevision) -> Revision:
    """A revision off the wire."""
    return Revision(
        revision=told.revision,
        actor=told.actor,
        at=told.at.ToJsonString(),
        action=told.action,
        version=told.version,
        status=_status(told.status),
        granted_capabilities=tuple(told.granted_capabilities),
        egress_rules=tuple(map(egress_text, told.egress_rules)),
        config_json=told.config_json,
    )


def egress_text(rule: install_pb2.EgressRule | EgressRule) -> str:
    """A rule as `extctl egress --allow` takes it, such as "GET,POST https://example.com:8443"."""
    port = f":{rule.port}" if rule.port else ""
    methods = f"{','.join(rule.methods)} " if rule.methods else ""
    return f"{methods}{rule.scheme}://{rule.host}{port}"


def _difference(told: pb.Difference) -> Difference:
    return Difference(
        added=tuple(told.added), removed=tuple(told.removed), unchanged=tuple(told.unchanged)
    )


def _status(status: install_pb2.TenantInstall.Status.ValueType) -> str:
    return install_pb2.TenantInstall.Status.Name(status).removeprefix("STATUS_").lower()
