"""What seals secrets, as the settings say; and sealing all of them anew."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from registry_service.postgres.database import open_database
from registry_service.postgres.secret_store import PostgresSecretStore
from registry_service.postgres.tenant_store import PostgresTenantStore
from registry_service.secrets.cipher import CipherChoice, SecretCipher
from registry_service.secrets.keyring import KeyringFile
from registry_service.secrets.keyring_cipher import KeyringCipher
from registry_service.secrets.resealing import Resealed, Resealer
from registry_service.secrets.vault import open_vault
from registry_service.secrets_settings import ResealSettings, SecretsSettings
from shared.clock import Clock
from shared.settings import SettingsInvalidError


@asynccontextmanager
async def open_cipher(
    settings: SecretsSettings, keyring: KeyringFile | None
) -> AsyncIterator[SecretCipher | None]:
    """What seals and opens secrets; None when nothing is set.

    Raises:
        OSError: the vault's authorities cannot be read.
    """
    async with AsyncExitStack() as stack:
        ciphers: list[SecretCipher] = []
        if (vault := settings.vault()) is not None:
            ciphers.append(await stack.enter_async_context(open_vault(vault)))
        if keyring is not None:
            ciphers.append(KeyringCipher(file=keyring))
        yield CipherChoice(*ciphers) if ciphers else None


async def reseal(settings: ResealSettings, clock: Clock) -> Resealed:
    """Seals all secrets anew that are not under the current key.

    Raises:
        SettingsInvalidError: nothing is set up to seal with, or the keyring cannot be used.
        OSError: the vault's authorities cannot be read.
        MigrationError, DatabaseUnreachableError, RegistryUnavailableError: the database.
    """
    keyring = _keyring(settings, clock)
    async with (
        open_cipher(settings, keyring) as cipher,
        open_database(
            settings.database_url.get_secret_value(), max_connections=2, clock=clock
        ) as database,
    ):
        if cipher is None:
            raise SettingsInvalidError(
                "Set REGISTRY_SECRETS_KEYRING_FILE or REGISTRY_VAULT_ADDRESS."
            )
        return await Resealer(
            tenants=PostgresTenantStore(database=database),
            store=PostgresSecretStore(database=database),
            cipher=cipher,
        ).reseal()


def _keyring(settings: ResealSettings, clock: Clock) -> KeyringFile | None:
    path = settings.secrets_keyring_file
    if path is None:
        return None
    try:
        return KeyringFile(path=path, clock=clock)
    except OSError as error:
        why = f"{path} cannot be read: {error.strerror}."
    except ValueError as error:
        why = f"{path}: {error}."
    raise SettingsInvalidError(f"{settings.variable_of('secrets_keyring_file')}: {why}")
