"""Which capabilities an install has: never more than its version asks for, each with its giver."""

from collections.abc import Iterable
from datetime import datetime

from registry_service.installs.model import GrantedCapability
from shared.capabilities import DEFAULT_CAPABILITIES, canonical_capability
from shared.errors import ArgumentInvalidError, CapabilityNotRequestedError, Fault

MAX_LISTED = 64


def requested_of(capabilities: Iterable[str]) -> frozenset[str]:
    """What a version asks for: what its manifest lists, and what every extension has."""
    return frozenset(capabilities) | DEFAULT_CAPABILITIES


def granted_of(listed: Iterable[str], requested: frozenset[str]) -> frozenset[str]:
    """What a tenant's list grants; the default capabilities are always granted.

    Raises:
        ArgumentInvalidError: a name is no capability, or the list is too long.
        CapabilityNotRequestedError: the version does not ask for one of them.
    """
    names = list(listed)
    if len(names) > MAX_LISTED:
        raise ArgumentInvalidError(f"A grant lists at most {MAX_LISTED} names.", what="grant")
    granted = frozenset(canonical_capability(name) for name in names) | DEFAULT_CAPABILITIES
    if surplus := sorted(granted - requested):
        raise CapabilityNotRequestedError(
            f"The version does not ask for {', '.join(surplus)}.",
            faults=[
                Fault(
                    "grant.capabilities",
                    "not_requested",
                    f"{name} is not in the version's manifest.",
                    f"Grant no more than {', '.join(sorted(requested))}.",
                )
                for name in surplus
            ],
        )
    return granted


def grants_of(
    granted: frozenset[str], held: Iterable[GrantedCapability], *, actor: str, now: datetime
) -> tuple[GrantedCapability, ...]:
    """The grants for `granted`: those that are held already keep who gave them, and when."""
    kept = {grant.capability: grant for grant in held}
    return tuple(
        kept.get(capability) or GrantedCapability(capability, actor, now)
        for capability in sorted(granted)
    )


def consent_needed(
    granted: frozenset[str], *, requested: frozenset[str], requested_before: frozenset[str]
) -> frozenset[str]:
    """What another version asks for that the tenant was never asked for, and did not grant now.

    What the present version asks for too was granted or declined already, and stays so.
    """
    return requested - granted - requested_before
