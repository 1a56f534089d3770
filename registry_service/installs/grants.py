"""Which capabilities an install has: never more than its version asks for."""

from collections.abc import Iterable

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
