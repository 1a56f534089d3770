"""Changing what a tenant decides about an install, at the version that it has."""

from collections.abc import Sequence
from dataclasses import replace

from registry_service.catalog.catalog import Catalog
from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.actor import parse_actor
from registry_service.installs.config import canonical_config, check_config
from registry_service.installs.model import Change, InstallAction, InstallStatus, TenantInstall
from registry_service.installs.store import InstallStore
from shared.egress_rules import EgressPolicy, EgressRule
from shared.errors import InstallNotFoundError
from shared.identifiers import TenantId

_ACTIONS = {
    InstallStatus.ENABLED: InstallAction.ENABLE,
    InstallStatus.DISABLED: InstallAction.DISABLE,
}


class Adjustments:
    """Status, config and egress rules. Each is idempotent, and a revision when it changes."""

    def __init__(self, *, store: InstallStore, catalog: Catalog, egress: EgressPolicy) -> None:
        self._store = store
        self._catalog = catalog
        self._egress = egress

    async def set_status(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        status: InstallStatus,
        *,
        actor: str,
    ) -> TenantInstall:
        """Enables or disables an install.

        Raises:
            InstallNotFoundError: the tenant has no such install.
            ArgumentInvalidError: the actor is no name.
        """
        install, _ = await self._store.change(
            tenant_id,
            reference,
            lambda current: Change(replace(current.terms, status=status), _ACTIONS[status]),
            actor=parse_actor(actor),
        )
        return install

    async def set_config(
        self, tenant_id: TenantId, reference: ExtensionReference, config_json: str, *, actor: str
    ) -> TenantInstall:
        """Replaces the config.

        Raises:
            InstallNotFoundError: the tenant has no such install.
            ArgumentInvalidError: the actor is no name.
            ConfigInvalidError: the config is not one, or not one that the version takes.
        """
        actor, config = parse_actor(actor), canonical_config(config_json)
        while True:
            present = await self._store.find(tenant_id, reference)
            if present is None:
                raise InstallNotFoundError
            version = await self._catalog.version(
                ExtensionReference(id=present.registry_id), present.version
            )
            check_config(version, config)

            def configured(current: TenantInstall, checked_for: TenantInstall = present) -> Change:
                if current.version_id != checked_for.version_id:
                    raise _VersionMovedError
                return Change(replace(current.terms, config_json=config), InstallAction.CONFIG)

            try:
                install, _ = await self._store.change(
                    tenant_id, ExtensionReference(id=present.install_id), configured, actor=actor
                )
            except _VersionMovedError:
                continue
            return install

    async def set_egress_rules(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        rules: Sequence[EgressRule],
        *,
        actor: str,
    ) -> TenantInstall:
        """Replaces the egress rules.

        Raises:
            InstallNotFoundError: the tenant has no such install.
            ArgumentInvalidError: the actor is no name.
            EgressRuleInvalidError: a rule is none, or one that the platform denies.
        """
        actor, allowed = parse_actor(actor), self._egress.parse(rules)
        install, _ = await self._store.change(
            tenant_id,
            reference,
            lambda current: Change(
                replace(current.terms, egress_rules=allowed), InstallAction.EGRESS
            ),
            actor=actor,
        )
        return install


class _VersionMovedError(Exception):
    """The install has another version than the one that the config was checked for."""
