"""Installing, moving and removing extensions for a tenant; and saying beforehand what that does."""

from collections.abc import Sequence
from typing import Final

import structlog

from registry_service.catalog.catalog import Catalog
from registry_service.catalog.model import ExtensionVersion
from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.actor import parse_actor
from registry_service.installs.model import Change, TenantInstall
from registry_service.installs.outcome import Outcome, Wanted, Wish, action_of, require_consent
from registry_service.installs.plan import InstallPlan, plan_hash_of, plan_of
from registry_service.installs.store import InstallStore
from registry_service.installs.version_gate import VersionGate
from registry_service.paging import page_size_of, page_token, position_of
from shared.clock import Clock
from shared.errors import InstallExistsError, InstallNotFoundError, PlanStaleError
from shared.identifiers import TenantId

DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 200

_log = structlog.get_logger(__name__)


class Installs:
    """What each tenant has. An install of another tenant is one that does not exist."""

    def __init__(
        self, *, store: InstallStore, catalog: Catalog, gate: VersionGate, clock: Clock
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._gate = gate
        self._clock = clock

    async def install(
        self, tenant_id: TenantId, reference: ExtensionReference, wish: Wish
    ) -> tuple[TenantInstall, bool, list[str]]:
        """Installs a version; gives the install, whether anything changed, and warnings.

        Args:
            tenant_id: for whom.
            reference: a registry entry.
            wish: what is asked for; where the version is installed already, what it does not set
                stays.

        Raises:
            RegistryEntryNotFoundError: there is no such entry.
            VersionNotFoundError: it has no such version.
            ArgumentInvalidError: the grant names no capability, or the actor is no name.
            CapabilityNotRequestedError: the grant is more than the version asks for.
            ConfigInvalidError: the config is not one, or not one that the version takes.
            BundleUntrustedError: the signature no longer satisfies the policy.
            VersionYankedError, VersionQuarantinedError: the version was stopped.
            InstallExistsError: the tenant has another version.
            PlanStaleError: it would not be what was planned.
        """
        actor = parse_actor(wish.actor)
        entry = await self._catalog.entry(reference)
        by_id = ExtensionReference(id=entry.registry_id)
        version = await self._catalog.version(by_id, wish.version)
        wanted = Wanted.of(wish, version)
        present = await self._store.find(tenant_id, by_id)
        warnings = await self._admit(tenant_id, version, present)

        def again(current: TenantInstall) -> Change:
            if current.version_id != version.version_id:
                raise InstallExistsError(
                    f"The tenant has version {current.version}; update it instead.",
                    installed=current.version,
                )
            return self._change(current, wanted, wish, warnings)

        while True:
            if present is None:
                outcome = wanted.outcome(None, now=self._clock.now())
                _require_plan(wish, None, version, outcome, warnings)
                added = await self._store.add(
                    tenant_id, entry.registry_id, outcome.terms, actor=actor
                )
                if added is not None:
                    return added, True, warnings
            try:
                changed = await self._store.change(tenant_id, by_id, again, actor=actor)
            except InstallNotFoundError:
                present = None  # it was uninstalled between the two
            else:
                return *changed, warnings

    async def update(
        self, tenant_id: TenantId, reference: ExtensionReference, wish: Wish
    ) -> tuple[TenantInstall, list[str]]:
        """Moves an install to another version; gives it, and warnings.

        Args:
            tenant_id: whose.
            reference: which install.
            wish: what is asked for; what it does not set stays.

        Raises:
            InstallNotFoundError: the tenant has no such install.
            ConsentRequiredError: the version asks for more than was granted or declined.
            VersionNotFoundError, ArgumentInvalidError, CapabilityNotRequestedError,
            ConfigInvalidError, BundleUntrustedError, VersionYankedError,
            VersionQuarantinedError, PlanStaleError: as `install`.
        """
        actor = parse_actor(wish.actor)
        present = await self.find(tenant_id, reference)
        by_registry_id = ExtensionReference(id=present.registry_id)
        version = await self._catalog.version(by_registry_id, wish.version)
        wanted = Wanted.of(wish, version)
        warnings = await self._admit(tenant_id, version, present)
        changed, _ = await self._store.change(
            tenant_id,
            ExtensionReference(id=present.install_id),
            lambda current: self._change(current, wanted, wish, warnings),
            actor=actor,
        )
        return changed, warnings

    async def plan(
        self, tenant_id: TenantId, reference: ExtensionReference, wish: Wish
    ) -> InstallPlan:
        """What `install` or, where the tenant has the extension, `update` would do now.

        Raises: as these, but for ConsentRequiredError: that is part of the plan.
        """
        present = await self._store.find(tenant_id, reference)
        if present is None:
            entry = await self._catalog.entry(reference)
            registry_id = entry.registry_id
            present_version = None
        else:
            registry_id = present.registry_id
            present_version = await self._catalog.version(
                ExtensionReference(id=registry_id), present.version
            )
        version = await self._catalog.version(ExtensionReference(id=registry_id), wish.version)
        outcome = Wanted.of(wish, version).outcome(present, now=self._clock.now())
        warnings = await self._admit(tenant_id, version, present)
        return plan_of(present, present_version, version, outcome, warnings)

    async def uninstall(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        *,
        keep_records: bool = False,
        actor: str = "",
    ) -> bool:
        """Removes an install with its grants, config, secrets and, unless they are kept, records.

        Without an install it removes records that were kept. Gives whether anything was there. The
        history goes with the install, so who asked for it stands in the log of the process.

        Raises:
            ArgumentInvalidError: the actor is no name.
        """
        actor = parse_actor(actor)
        removed = await self._store.remove(tenant_id, reference, keep_records=keep_records)
        if removed:
            _log.info(
                "install removed", tenant_id=str(tenant_id), actor=actor, records_kept=keep_records
            )
        return removed

    async def find(self, tenant_id: TenantId, reference: ExtensionReference) -> TenantInstall:
        """The install, enabled or not.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        install = await self._store.find(tenant_id, reference)
        if install is None:
            raise InstallNotFoundError
        return install

    async def list_installs(
        self, tenant_id: TenantId, *, page_size: int, token: str
    ) -> tuple[Sequence[TenantInstall], str]:
        """One page by publisher and name, and the token of the next (empty: none).

        Raises:
            ArgumentInvalidError: the page is too large.
            PageTokenInvalidError: the token is of another listing.
        """
        limit = page_size_of(page_size, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        listing = ("installs", str(tenant_id))
        position = position_of(token, listing, parts=2)
        after = (position[0], position[1]) if position else None
        found = await self._store.list_installs(tenant_id, after=after, limit=limit + 1)
        page = found[:limit]
        more = len(found) > limit
        return page, page_token(listing, (page[-1].publisher, page[-1].name)) if more else ""

    async def _admit(
        self, tenant_id: TenantId, version: ExtensionVersion, present: TenantInstall | None
    ) -> list[str]:
        had_before = present is not None and present.version_id == version.version_id
        return await self._gate.admit(tenant_id, version, had_before=had_before)

    def _change(
        self, current: TenantInstall, wanted: Wanted, wish: Wish, warnings: Sequence[str]
    ) -> Change:
        outcome = wanted.outcome(current, now=self._clock.now())
        _require_plan(wish, current, wanted.version, outcome, warnings)
        require_consent(outcome.consent)
        return Change(outcome.terms, action_of(current.terms, outcome.terms))


def _require_plan(
    wish: Wish,
    current: TenantInstall | None,
    version: ExtensionVersion,
    outcome: Outcome,
    warnings: Sequence[str],
) -> None:
    if wish.plan_hash and wish.plan_hash != plan_hash_of(current, version, outcome, warnings):
        raise PlanStaleError
