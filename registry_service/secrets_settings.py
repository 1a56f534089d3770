"""What can be set about sealing secrets."""

from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from registry_service.secrets.vault import VaultKey
from shared.settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SEGMENT = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
_PATH = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){0,7}$"


class SecretsSettings(Settings):
    """A keyring file, a vault, or both: then the vault seals, and the keyring still opens."""

    prefix: ClassVar[str] = "REGISTRY_"

    secrets_keyring_file: Path | None = Field(
        default=None,
        description="JSON file of the keys that seal secrets, the first one for new ones; re-read "
        "on change. Without it and without a vault no secrets can be set.",
    )
    vault_address: str = Field(
        default="",
        pattern=r"^(https?://[^/?#@\s]+)?$",
        description="HashiCorp Vault or OpenBao whose transit engine seals secrets, such as "
        "https://vault.example.com:8200; http:// for this machine only.",
    )
    vault_mount: str = Field(
        default="transit", pattern=_PATH, description="Where its transit engine is mounted."
    )
    vault_key: str = Field(
        default="", pattern=rf"{_SEGMENT}|^$", description="The name of the transit key."
    )
    vault_token_file: Path | None = Field(
        default=None, description="File with the vault's token; read for each call."
    )
    vault_namespace: str = Field(
        default="", pattern=rf"{_PATH}|^$", description="The vault's namespace, if it has them."
    )
    vault_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authorities that vouch for the vault, if not the system's.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.vault_address:
            if not self.vault_key or self.vault_token_file is None:
                raise ValueError(
                    "REGISTRY_VAULT_ADDRESS needs REGISTRY_VAULT_KEY and REGISTRY_VAULT_TOKEN_FILE"
                )
            address = urlsplit(self.vault_address)
            if address.scheme != "https" and address.hostname not in _LOOPBACK:
                raise ValueError(
                    "REGISTRY_VAULT_ADDRESS must begin with https://, because secrets go there"
                )
        return self

    def vault(self) -> VaultKey | None:
        """The vault's key, if a vault is set."""
        if not self.vault_address or self.vault_token_file is None:
            return None
        return VaultKey(
            address=self.vault_address,
            mount=self.vault_mount,
            key=self.vault_key,
            token_file=self.vault_token_file,
            namespace=self.vault_namespace,
            ca_file=self.vault_ca_file,
        )


class ResealSettings(SecretsSettings):
    """Settings of `python -m registry_service reseal`."""

    database_url: SecretStr = Field(
        description="PostgreSQL, as the role extension_app, such as "
        "postgresql://extension_app:…@host/database."
    )
