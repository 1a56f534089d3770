"""What became of an install, and the way back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from registry_service.catalog.catalog import Catalog
from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.actor import parse_actor
from registry_service.installs.grants import grants_of
from registry_service.installs.model import Change, InstallAction, InstallRevision, TenantInstall
from registry_service.installs.store import InstallStore
from registry_service.installs.version_gate import VersionGate
from registry_service.paging import page_size_of, page_token, position_of
from shared.clock import Clock
from shared.egress_rules import EgressPolicy
from shared.errors import InstallNotFoundError, PageTokenInvalidError, RevisionNotFoundError
from shared.identifiers import TenantId

DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 200
MAX_REVISION: Final = 2**63 - 1


class History:
    """The revisions of installs."""

    def __init__(
        self,
        *,
        store: InstallStore,
        catalog: Catalog,
        gate: VersionGate,
        egress: EgressPolicy,
        clock: Clock,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._gate = gate
        self._egress = egress
        self._clock = clock

    async def list_revisions(
        self, tenant_id: TenantId, reference: ExtensionReference, *, page_size: int, token: str
    ) -> tuple[Sequence[InstallRevision], str]:
        """One page, newest first, and the token of the next (empty: none).

        Raises:
            InstallNotFoundError: the tenant has no such install.
            ArgumentInvalidError: the page is too large.
            PageTokenInvalidError: the token is of another listing.
        """
        limit = page_size_of(page_size, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        install_id = (await self._find(tenant_id, reference)).install_id
        listing = ("revisions", str(tenant_id), str(install_id))
        position = position_of(token, listing, parts=1)
        before = _revision_at(position[0]) if position else None
        found = await self._store.list_revisions(
            tenant_id, install_id, before=before, limit=limit + 1
        )
        page = found[:limit]
        more = len(found) > limit
        return page, page_token(listing, (str(page[-1].revision),)) if more else ""

    async def rollback(
        self, tenant_id: TenantId, reference: ExtensionReference, revision: int, *, actor: str
    ) -> tuple[TenantInstall, list[str]]:
        """Restores what a revision left behind, as a new revision; gives warnings, too.

        What is granted again is granted by `actor`. A rule that the platform denies by now is not
        restored, with a warning: the way back must not be barred by it.

        Raises:
            InstallNotFoundError: the tenant has no such install.
            RevisionNotFoundError: it has no such revision.
            ArgumentInvalidError: the actor is no name.
            VersionQuarantinedError: the version was stopped.
            BundleUntrustedError: its signature no longer satisfies the policy.
        """
        actor = parse_actor(actor)
        install = await self._find(tenant_id, reference)
        target = None
        if 0 < revision <= MAX_REVISION:
            target = await self._store.find_revision(tenant_id, install.install_id, revision)
        if target is None:
            raise RevisionNotFoundError
        version = await self._catalog.version(
            ExtensionReference(id=install.registry_id), target.version
        )
        warnings = await self._gate.admit(tenant_id, version, had_before=True)
        rules = self._egress.still_allowed(target.terms.egress_rules)
        warnings += [
            f"The platform denies {rule.host} by now; its egress rule was not restored."
            for rule in target.terms.egress_rules
            if rule not in rules
        ]

        def restored(current: TenantInstall) -> Change:
            grants = grants_of(
                target.terms.granted_capabilities,
                current.terms.grants,
                actor=actor,
                now=self._clock.now(),
            )
            terms = replace(target.terms, grants=grants, egress_rules=rules)
            return Change(terms, InstallAction.ROLLBACK)

        changed, _ = await self._store.change(
            tenant_id, ExtensionReference(id=install.install_id), restored, actor=actor
        )
        return changed, warnings

    async def _find(self, tenant_id: TenantId, reference: ExtensionReference) -> TenantInstall:
        install = await self._store.find(tenant_id, reference)
        if install is None:
            raise InstallNotFoundError
        return install


def _revision_at(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_REVISION):
        raise PageTokenInvalidError
    return int(text)
