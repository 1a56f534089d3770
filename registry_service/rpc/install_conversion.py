"""Messages of installs, to and from the domain's words. No decisions."""

from collections.abc import Iterable
from typing import Final

from registry_service.installs.model import (
    GrantedCapability,
    InstallRevision,
    InstallStatus,
    TenantInstall,
)
from registry_service.installs.outcome import Wish
from registry_service.installs.plan import Difference, InstallPlan
from registry_service.rpc.conversion import timestamp_of
from shared.egress_rules import EgressRule
from shared.install_changes import Change, InstallChange, Resync, VersionChange
from shared.pb.registry.v1 import install_pb2
from shared.pb.registry.v1 import install_service_pb2 as pb

_STATUSES: Final = {
    InstallStatus.ENABLED: install_pb2.TenantInstall.STATUS_ENABLED,
    InstallStatus.DISABLED: install_pb2.TenantInstall.STATUS_DISABLED,
}


def wish_of(request: pb.InstallRequest | pb.UpdateRequest | pb.PlanRequest) -> Wish:
    """What a request asks for."""
    return Wish(
        version=request.version,
        grant=request.grant.capabilities if request.HasField("grant") else None,
        config_json=request.config_json if request.HasField("config_json") else None,
        keep_grants=not isinstance(request, pb.InstallRequest) and request.keep_grants,
        plan_hash="" if isinstance(request, pb.PlanRequest) else request.plan_hash,
        actor="" if isinstance(request, pb.PlanRequest) else request.actor,
    )


def install_message(install: TenantInstall) -> install_pb2.TenantInstall:
    """An install."""
    terms = install.terms
    return install_pb2.TenantInstall(
        install_id=str(install.install_id),
        tenant_id=str(install.tenant_id),
        registry_id=str(install.registry_id),
        publisher=install.publisher,
        name=install.name,
        version_id=str(terms.version_id),
        version=install.version,
        content_hash=install.content_hash,
        status=_STATUSES[terms.status],
        granted_capabilities=[grant.capability for grant in terms.grants],
        config_json=terms.config_json,
        created_at=timestamp_of(install.created_at),
        updated_at=timestamp_of(install.updated_at),
        revision=install.revision,
        grants=[_grant_message(grant) for grant in terms.grants],
        egress_rules=_egress_messages(terms.egress_rules),
    )


def revision_message(revision: InstallRevision) -> install_pb2.InstallRevision:
    """A revision."""
    terms = revision.terms
    return install_pb2.InstallRevision(
        revision=revision.revision,
        actor=revision.actor,
        at=timestamp_of(revision.at),
        action=revision.action.value,
        version=revision.version,
        granted_capabilities=[grant.capability for grant in terms.grants],
        config_json=terms.config_json,
        egress_rules=_egress_messages(terms.egress_rules),
        status=_STATUSES[terms.status],
    )


def plan_message(plan: InstallPlan) -> pb.InstallPlan:
    """A plan."""
    return pb.InstallPlan(
        plan_hash=plan.plan_hash,
        from_version=plan.from_version,
        to_version=plan.to_version,
        capabilities=_difference_message(plan.capabilities),
        endpoints=_difference_message(plan.endpoints),
        egress_hosts=_difference_message(plan.egress_hosts),
        config_keys=_difference_message(plan.config_keys),
        consent_required=plan.consent_required,
        warnings=plan.warnings,
    )


def egress_rules_of(messages: Iterable[install_pb2.EgressRule]) -> list[EgressRule]:
    """Rules as they were given, unchecked."""
    return [EgressRule(each.scheme, each.host, each.port, tuple(each.methods)) for each in messages]


def change_message(change: Change | None) -> pb.WatchInstallsResponse:
    """A change; None is a heartbeat."""
    match change:
        case InstallChange():
            return pb.WatchInstallsResponse(
                install=pb.InstallChange(
                    tenant_id=str(change.tenant_id),
                    install_id=str(change.install_id),
                    registry_id=str(change.registry_id),
                    revision=change.revision,
                )
            )
        case VersionChange():
            return pb.WatchInstallsResponse(
                version=pb.VersionChange(
                    version_id=str(change.version_id),
                    content_hash=change.content_hash,
                    quarantined=change.quarantined,
                )
            )
        case Resync():
            return pb.WatchInstallsResponse(resync=pb.Resync())
    return pb.WatchInstallsResponse(heartbeat=pb.Heartbeat())


def _grant_message(grant: GrantedCapability) -> install_pb2.GrantedCapability:
    return install_pb2.GrantedCapability(
        capability=grant.capability,
        granted_by=grant.granted_by,
        granted_at=timestamp_of(grant.granted_at),
    )


def _egress_messages(rules: Iterable[EgressRule]) -> list[install_pb2.EgressRule]:
    return [
        install_pb2.EgressRule(
            scheme=rule.scheme, host=rule.host, port=rule.port, methods=rule.methods
        )
        for rule in rules
    ]


def _difference_message(difference: Difference) -> pb.Difference:
    return pb.Difference(
        added=difference.added, removed=difference.removed, unchanged=difference.unchanged
    )
