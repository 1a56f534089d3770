"""What would change: a plan for people to read, and its hash for what they agreed to."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from registry_service.catalog.model import Endpoint, ExtensionVersion
from registry_service.installs.model import TenantInstall
from registry_service.installs.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Difference:
    """Names on both sides of a change, each sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]

    @classmethod
    def between(cls, before: Iterable[str], after: Iterable[str]) -> "Difference":
        """What of two sets of names differs."""
        old, new = set(before), set(after)
        return cls(*(tuple(sorted(each)) for each in (new - old, old - new, old & new)))


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """What would change, and what it needs."""

    plan_hash: str
    from_version: str
    """Empty when it would be a new install."""
    to_version: str
    capabilities: Difference
    endpoints: Difference
    egress_hosts: Difference
    """Hosts that the versions suggest; rules are the tenant's to set."""
    config_keys: Difference
    """A key whose value differs is both removed and added."""
    consent_required: tuple[str, ...]
    warnings: tuple[str, ...]


def plan_of(
    current: TenantInstall | None,
    present: ExtensionVersion | None,
    wanted: ExtensionVersion,
    outcome: Outcome,
    warnings: Sequence[str],
) -> InstallPlan:
    """The plan from `current` at version `present` (None: no install) to `outcome` at `wanted`."""
    return InstallPlan(
        plan_hash=plan_hash_of(current, wanted, outcome, warnings),
        from_version=present.version if present else "",
        to_version=wanted.version,
        capabilities=Difference.between(
            current.granted_capabilities if current else (), outcome.terms.granted_capabilities
        ),
        endpoints=Difference.between(
            _routes(present.endpoints if present else ()), _routes(wanted.endpoints)
        ),
        egress_hosts=Difference.between(
            suggested_hosts(present) if present else (), suggested_hosts(wanted)
        ),
        config_keys=_key_difference(
            json.loads(current.config_json) if current else {},
            json.loads(outcome.terms.config_json),
        ),
        consent_required=tuple(sorted(outcome.consent)),
        warnings=tuple(warnings),
    )


def plan_hash_of(
    current: TenantInstall | None,
    wanted: ExtensionVersion,
    outcome: Outcome,
    warnings: Sequence[str],
) -> str:
    """SHA-256 (hex) over everything that decides what applying the plan does.

    The warnings are in it because they tell what trust and the publisher think of the version.
    """
    decisive = {
        "install": str(current.install_id) if current else "",
        "revision": current.revision if current else 0,
        "registry": str(wanted.registry_id),
        "version": str(wanted.version_id),
        "granted": sorted(outcome.terms.granted_capabilities),
        "config": outcome.terms.config_json,
        "consent": sorted(outcome.consent),
        "warnings": list(warnings),
    }
    text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def suggested_hosts(version: ExtensionVersion) -> frozenset[str]:
    """The hosts that a version's manifest says it wants to reach."""
    suggestions = json.loads(version.manifest_json).get("egress", ())
    return frozenset(str(each["host"]).lower() for each in suggestions)


def _routes(endpoints: Iterable[Endpoint]) -> Iterable[str]:
    return (f"{each.method} {each.path}" for each in endpoints)


def _key_difference(before: Mapping[str, object], after: Mapping[str, object]) -> Difference:
    changed = {  # by their text: Python holds 1, 1.0 and True for equal
        key
        for key in before.keys() & after.keys()
        if json.dumps(before[key], sort_keys=True) != json.dumps(after[key], sort_keys=True)
    }
    return Difference(
        tuple(sorted((after.keys() - before.keys()) | changed)),
        tuple(sorted((before.keys() - after.keys()) | changed)),
        tuple(sorted((before.keys() & after.keys()) - changed)),
    )
