"""Rows of installs and their revisions, to and from the domain's words."""

import json
from collections.abc import Iterable
from datetime import datetime

import asyncpg

from registry_service.catalog.model import VersionStatus
from registry_service.installs.model import (
    GrantedCapability,
    InstallAction,
    InstallRevision,
    InstallStatus,
    InstallTerms,
    TenantInstall,
)
from registry_service.postgres.catalog_rows import endpoints_of
from shared.egress_rules import EgressRule
from shared.identifiers import InstallId, RegistryId, TenantId, VersionId, parse_content_hash
from shared.trust.verification import SigningPolicy


def install_of(row: asyncpg.Record) -> TenantInstall:
    """A row of `tenant_install_detail`."""
    return TenantInstall(
        tenant_id=TenantId(row["tenant_id"]),
        install_id=InstallId(row["id"]),
        registry_id=RegistryId(row["registry_id"]),
        publisher=row["publisher"],
        name=row["name"],
        version=row["version"],
        version_status=VersionStatus(row["version_status"]),
        signed_publisher=row["signed_publisher"],
        runtime=row["runtime"],
        content_hash=parse_content_hash(row["content_hash"]),
        signature_digest=row["signature"],
        signature_seen_at=row["signature_seen_at"],
        own_signing_policy=SigningPolicy(own) if (own := row["own_signing_policy"]) else None,
        endpoints=endpoints_of(row["api_endpoints"]),
        requested_capabilities=frozenset(json.loads(row["requested_caps"])),
        terms=_terms(row),
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def revision_of(row: asyncpg.Record) -> InstallRevision:
    """A row of `tenant_extension_install_revision` with its version."""
    return InstallRevision(
        revision=row["revision"],
        actor=row["actor"],
        at=row["at"],
        action=InstallAction(row["action"]),
        version=row["version"],
        terms=_terms(row),
    )


def grants_column(grants: Iterable[GrantedCapability]) -> str:
    """What `granted_caps` holds."""
    return json.dumps(
        [
            {
                "capability": each.capability,
                "granted_by": each.granted_by,
                "granted_at": each.granted_at.isoformat(),
            }
            for each in grants
        ]
    )


def egress_column(rules: Iterable[EgressRule]) -> str:
    """What `egress_rules` holds."""
    return json.dumps(
        [
            {
                "scheme": each.scheme,
                "host": each.host,
                "port": each.port,
                "methods": list(each.methods),
            }
            for each in rules
        ]
    )


def _terms(row: asyncpg.Record) -> InstallTerms:
    return InstallTerms(
        version_id=VersionId(row["version_id"]),
        grants=tuple(
            GrantedCapability(
                each["capability"],
                each["granted_by"],
                datetime.fromisoformat(each["granted_at"]),
            )
            for each in json.loads(row["granted_caps"])
        ),
        config_json=row["config"],
        egress_rules=tuple(
            EgressRule(each["scheme"], each["host"], each["port"], tuple(each["methods"]))
            for each in json.loads(row["egress_rules"])
        ),
        status=InstallStatus(row["status"]),
    )
