"""Sealing all secrets anew under the current key, so that older keys can be taken away."""

from dataclasses import dataclass
from typing import Final

from registry_service.secrets.cipher import SecretCipher
from registry_service.secrets.model import StoredSecret
from registry_service.secrets.store import SecretStore
from registry_service.tenants import TenantStore, every_tenant
from shared.errors import SecretsUnavailableError
from shared.identifiers import TenantId

_AT_ONCE: Final = 100


@dataclass(slots=True)
class Resealed:
    """What came of it."""

    resealed: int = 0
    current: int = 0
    """Sealed under the current key already, or changed meanwhile."""
    failed: int = 0
    """Could not be opened or sealed; the log says why."""


class Resealer:
    """Goes through the secrets of all tenants; may be stopped and started again at any time."""

    def __init__(self, *, tenants: TenantStore, store: SecretStore, cipher: SecretCipher) -> None:
        self._tenants = tenants
        self._store = store
        self._cipher = cipher

    async def reseal(self) -> Resealed:
        """Seals anew what is sealed under another than the current key.

        Raises:
            RegistryUnavailableError: the database does not answer.
        """
        done = Resealed()
        async for tenant_id in every_tenant(self._tenants):
            await self._reseal_tenant(tenant_id, done)
        return done

    async def _reseal_tenant(self, tenant_id: TenantId, done: Resealed) -> None:
        after = None
        while found := await self._store.all_of(tenant_id, after=after, limit=_AT_ONCE):
            for secret in found:
                await self._reseal_one(secret, done)
            after = (found[-1].place.install_id, found[-1].place.key)

    async def _reseal_one(self, secret: StoredSecret, done: Resealed) -> None:
        try:
            if await self._cipher.is_current(secret.sealed):
                done.current += 1
                return
            opened = await self._cipher.open(secret.sealed, secret.place)
            sealed = await self._cipher.seal(opened, secret.place)
        except SecretsUnavailableError:
            done.failed += 1
            return
        if await self._store.reseal(secret, sealed):
            done.resealed += 1
        else:
            done.current += 1
