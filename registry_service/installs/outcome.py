"""What an install becomes when a version is wanted for it: pure, so that planning is applying."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from registry_service.catalog.model import ExtensionVersion
from registry_service.installs.config import canonical_config, check_config
from registry_service.installs.grants import consent_needed, granted_of, grants_of, requested_of
from registry_service.installs.model import InstallAction, InstallTerms, TenantInstall
from shared.errors import ConsentRequiredError, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a tenant asks for."""

    version: str = ""
    """Empty means the entry's latest."""
    grant: Sequence[str] | None = None
    """None means: all that the version asks for or, where there is an install, what it has."""
    config_json: str | None = None
    """None means `{}`, or what is there."""
    keep_grants: bool = False
    """Run a version that asks for more with what is granted."""
    plan_hash: str = ""
    """Of the plan that this is to be; empty means unchecked."""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the install becomes, and what that still needs."""

    terms: InstallTerms
    consent: frozenset[str]
    """Capabilities that the tenant has to grant, or to decline by `keep_grants`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A wish that was checked against the version that it is for."""

    version: ExtensionVersion
    requested: frozenset[str]
    granted: frozenset[str] | None
    config_json: str | None
    keep_grants: bool
    actor: str

    @classmethod
    def of(cls, wish: Wish, version: ExtensionVersion) -> "Wanted":
        """Checks the wish.

        Raises:
            ArgumentInvalidError: the grant names no capability.
            CapabilityNotRequestedError: the grant is more than the version asks for.
            ConfigInvalidError: see `canonical_config`.
        """
        requested = requested_of(version.capabilities)
        return cls(
            version,
            requested,
            None if wish.grant is None else granted_of(wish.grant, requested),
            None if wish.config_json is None else canonical_config(wish.config_json),
            wish.keep_grants,
            wish.actor,
        )

    def outcome(self, current: TenantInstall | None, *, now: datetime) -> Outcome:
        """What `current` becomes; None stands for no install yet.

        Raises:
            ConfigInvalidError: the version's schema refuses the config, be it given or kept.
        """
        version_id = self.version.version_id
        if current is None:
            granted = self.requested if self.granted is None else self.granted
            config = "{}" if self.config_json is None else self.config_json
            terms = InstallTerms(
                version_id=version_id,
                grants=grants_of(granted, (), actor=self.actor, now=now),
                config_json=config,
            )
            consent: frozenset[str] = frozenset()
        else:
            held = current.granted_capabilities
            granted = held & self.requested if self.granted is None else self.granted
            terms = replace(
                current.terms,
                version_id=version_id,
                grants=grants_of(granted, current.terms.grants, actor=self.actor, now=now),
                config_json=current.config_json if self.config_json is None else self.config_json,
            )
            consent = consent_needed(
                granted,
                requested=self.requested,
                requested_before=requested_of(current.requested_capabilities),
            )
        check_config(self.version, terms.config_json)
        return Outcome(terms, frozenset() if self.keep_grants else consent)


def require_consent(consent: frozenset[str]) -> None:
    """Passes when nothing is left to be consented to.

    Raises:
        ConsentRequiredError: with a fault for each capability.
    """
    if not consent:
        return
    missing = sorted(consent)
    raise ConsentRequiredError(
        f"The version asks for {', '.join(missing)}, which was not granted.",
        faults=[
            Fault(
                "grant.capabilities",
                "consent_required",
                f"{capability} was not granted.",
                "Grant all that the version asks for, or set keep_grants to run it without.",
            )
            for capability in missing
        ],
        capabilities=",".join(missing),
    )


def action_of(before: InstallTerms, after: InstallTerms) -> InstallAction:
    """What the change of an install is called in its history."""
    if before.version_id == after.version_id:
        same_config = before.config_json == after.config_json
        if same_config:
            return InstallAction.GRANTS
        if before.grants == after.grants:
            return InstallAction.CONFIG
    return InstallAction.UPDATE
