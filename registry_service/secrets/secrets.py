"""The secrets of an install: people write them, guests read them, nobody else sees them again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from registry_service.catalog.reference import ExtensionReference
from registry_service.installs.actor import parse_actor
from registry_service.secrets.cipher import SecretCipher
from registry_service.secrets.model import (
    MAX_OF_INSTALL,
    SecretInfo,
    SecretPlace,
    SecretWrite,
    StoredSecret,
    check_writes,
    is_secret_key,
)
from registry_service.secrets.store import SecretStore
from shared.capabilities import SECRETS_GET
from shared.clock import Clock
from shared.errors import (
    CapabilityNotGrantedError,
    RegistryUnavailableError,
    SecretExpiredError,
    SecretNotFoundError,
    SecretsUnavailableError,
)
from shared.identifiers import TenantId
from shared.secret import Secret
from shared.tokens.invocation_grant import InvocationGrant

CACHED_FOR: Final = timedelta(seconds=30)
_ATTEMPTS: Final = 8


class Secrets:
    """Seals what comes in, and opens it for a guest that was granted it."""

    def __init__(self, *, store: SecretStore, cipher: SecretCipher | None, clock: Clock) -> None:
        self._store = store
        self._cipher = cipher
        self._clock = clock

    async def set_secrets(
        self,
        tenant_id: TenantId,
        reference: ExtensionReference,
        writes: Sequence[SecretWrite],
        *,
        actor: str,
    ) -> Sequence[SecretInfo]:
        """Sets secrets of an install, all or none; its others stay.

        They are sealed before they reach the store, outside of its transactions: a vault that is
        slow holds no lock.

        Raises:
            ArgumentInvalidError: see `check_writes` and `parse_actor`; or the install would have
                too many.
            InstallNotFoundError: the tenant has no such install.
            SecretsUnavailableError: nothing is set up to seal them, or it does not answer.
            RegistryUnavailableError: others changed the same secrets over and over.
        """
        check_writes(writes, now=self._clock.now())
        parse_actor(actor)
        cipher = self._required()
        for _ in range(_ATTEMPTS):
            install_id, versions = await self._store.versions(tenant_id, reference)
            sealed = []
            for write in writes:
                place = SecretPlace(
                    tenant_id=tenant_id, install_id=install_id, key=write.key,
                    version=versions.get(write.key, 0) + 1,
                )  # fmt: skip
                sealed.append(
                    StoredSecret(
                        place=place,
                        sealed=await cipher.seal(write.value, place),
                        expires_at=write.expires_at,
                    )
                )
            written = await self._store.put(
                tenant_id, install_id, sealed, actor=actor, at_most=MAX_OF_INSTALL
            )
            if written is not None:
                return written
        raise RegistryUnavailableError("Others are changing the same secrets; try again.")

    async def delete(self, tenant_id: TenantId, reference: ExtensionReference, key: str) -> bool:
        """Removes a secret; gives whether there was one.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        return await self._store.delete(tenant_id, reference, key if is_secret_key(key) else "")

    async def list_secrets(
        self, tenant_id: TenantId, reference: ExtensionReference
    ) -> Sequence[SecretInfo]:
        """Names, versions and dates, by name; never values.

        Raises:
            InstallNotFoundError: the tenant has no such install.
        """
        return await self._store.list_secrets(tenant_id, reference)

    async def get(self, grant: InvocationGrant, key: str) -> tuple[Secret, datetime]:
        """A secret of the grant's install, and until when it may be kept.

        Raises:
            CapabilityNotGrantedError: the install may not read secrets.
            SecretNotFoundError: it has no such secret.
            SecretExpiredError: it has expired.
            SecretsUnavailableError: it cannot be opened now.
        """
        _admit(grant)
        stored = (
            await self._store.get(grant.tenant_id, grant.install_id, key)
            if is_secret_key(key)
            else None
        )
        if stored is None:
            raise SecretNotFoundError
        now = self._clock.now()
        if stored.expires_at is not None and stored.expires_at <= now:
            raise SecretExpiredError
        secret = await self._required().open(stored.sealed, stored.place)
        cache_until = now + CACHED_FOR
        return secret, min(cache_until, stored.expires_at or cache_until)

    async def list_keys(self, grant: InvocationGrant) -> Sequence[str]:
        """The names of the secrets of the grant's install that have not expired, sorted.

        Raises:
            CapabilityNotGrantedError: the install may not read secrets.
        """
        _admit(grant)
        return await self._store.list_keys(grant.tenant_id, grant.install_id)

    def _required(self) -> SecretCipher:
        if self._cipher is None:
            raise SecretsUnavailableError(
                "This registry keeps no secrets: set REGISTRY_SECRETS_KEYRING_FILE, or "
                "REGISTRY_VAULT_ADDRESS, REGISTRY_VAULT_KEY and REGISTRY_VAULT_TOKEN_FILE."
            )
        return self._cipher


def _admit(grant: InvocationGrant) -> None:
    if SECRETS_GET not in grant.capabilities:
        raise CapabilityNotGrantedError(
            f"The install was not granted {SECRETS_GET}.", capability=SECRETS_GET
        )
