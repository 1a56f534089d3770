"""Installing, changing and removing extensions for a tenant."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from registry_service.catalog.catalog import Catalog
from registry_service.catalog.model import ExtensionVersion
from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.signing import SignatureGate
from registry_service.installs.config import canonical_config
from registry_service.installs.grants import granted_of, requested_of
from registry_service.installs.model import InstallStatus, InstallTerms, TenantInstall
from registry_service.installs.store import InstallStore
from registry_service.paging import page_size_of, page_token, position_of
from shared.errors import InstallExistsError, InstallNotFoundError
from shared.identifiers import TenantId

DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 200


class Installs:
    """What each tenant has. An install of another tenant is one that does not exist."""

    def __init__(self, *, store: InstallStore, catalog: Catalog, gate: SignatureGate) -> None:
        self._store = store
        self._catalog = catalog
        self._gate = gate

    async def install(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        *,
        version: str,
        grant: Sequence[str] | None,
        config_json: str | None,
    ) -> tuple[TenantInstall, bool, list[str]]:
        """Installs a version; gives the install, whether anything changed, and warnings.

        Args:
            tenant_id: for whom.
            reference: a registry entry.
            version: empty means the latest.
            grant: the capabilities that are granted; None means all that the version asks for,
                or, when it is installed already, those that are granted now.
            config_json: None means `{}`, or what is there already.

        Raises:
            RegistryEntryNotFoundError: there is no such entry.
            VersionNotFoundError: it has no such version.
            ArgumentInvalidError: the grant names no capability.
            CapabilityNotRequestedError: the grant is more than the version asks for.
            ConfigInvalidError: see `canonical_config`.
            BundleUntrustedError: the signature no longer satisfies the policy.
            InstallExistsError: the tenant has another version.
        """
        entry = await self._catalog.entry(reference)
        by_id = ExtensionReference(id=entry.registry_id)
        wanted = await self._catalog.version(by_id, version)
        requested = requested_of(wanted.capabilities)
        granted = None if grant is None else granted_of(grant, requested)
        config = None if config_json is None else canonical_config(config_json)
        warnings = [
            *await self._gate.judge_version(wanted, tenant_id),
            *_deprecation_warnings(wanted),
        ]

        def again(current: TenantInstall) -> InstallTerms:
            if current.version_id != wanted.version_id:
                raise InstallExistsError(
                    f"The tenant has version {current.version}; update it instead.",
                    installed=current.version,
                )
            return replace(
                current.terms,
                granted_capabilities=current.granted_capabilities if granted is None else granted,
                config_json=current.config_json if config is None else config,
            )

        while True:
            added = await self._store.add(
                tenant_id,
                entry.registry_id,
                InstallTerms(
                    version_id=wanted.version_id,
                    granted_capabilities=requested if granted is None else granted,
                    config_json=config or "{}",
                ),
            )
            if added is not None:
                return added, True, warnings
            try:
                current, changed = await self._store.change(tenant_id, by_id, again)
            except InstallNotFoundError:
                continue  # it was uninstalled between the two
            return current, changed, warnings

    async def update(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        *,
        version: str,
        grant: Sequence[str] | None,
        config_json: str | None,
    ) -> tuple[TenantInstall, list[str]]:
        """Moves an install to another version; gives it, and warnings.

        Args:
            tenant_id: whose.
            reference: which install.
            version: empty means the latest.
            grant: None keeps what still applies, and adds nothing.
            config_json: None keeps what is there.

        Raises:
            InstallNotFoundError: the tenant has no such install.
            VersionNotFoundError, ArgumentInvalidError, CapabilityNotRequestedError,
            ConfigInvalidError, BundleUntrustedError: as `install`.
        """
        install = await self.find(tenant_id, reference)
        by_id = ExtensionReference(id=install.registry_id)
        wanted = await self._catalog.version(by_id, version)
        requested = requested_of(wanted.capabilities)
        granted = None if grant is None else granted_of(grant, requested)
        config = None if config_json is None else canonical_config(config_json)
        warnings = [
            *await self._gate.judge_version(wanted, tenant_id),
            *_deprecation_warnings(wanted),
        ]

        def moved(current: TenantInstall) -> InstallTerms:
            return replace(
                current.terms,
                version_id=wanted.version_id,
                granted_capabilities=(
                    current.granted_capabilities & requested if granted is None else granted
                ),
                config_json=current.config_json if config is None else config,
            )

        changed, _ = await self._store.change(tenant_id, by_id, moved)
        return changed, warnings

    async def set_status(
        self, tenant_id: TenantId, reference: ExtensionReference, status: InstallStatus
    ) -> TenantInstall:
        """Enables or disables an install.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        install, _ = await self._store.change(
            tenant_id, reference, lambda current: replace(current.terms, status=status)
        )
        return install

    async def uninstall(
        self, tenant_id: TenantId, reference: ExtensionReference, *, keep_records: bool = False
    ) -> bool:
        """Removes an install with its grants, config, secrets and, unless they are kept, records.

        Without an install it removes records that were kept. Gives whether anything was there.
        """
        return await self._store.remove(tenant_id, reference, keep_records=keep_records)

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


def _deprecation_warnings(version: ExtensionVersion) -> list[str]:
    if version.deprecation is None:
        return []
    return [f"Version {version.version} is deprecated: {version.deprecation.reason}"]
