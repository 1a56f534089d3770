"""Sealing with the keys of a keyring: AES-256-GCM."""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag

from registry_service.secrets.cipher import cannot_open
from registry_service.secrets.keyring import KeyringFile
from registry_service.secrets.model import Sealed, SecretPlace
from shared.secret import Secret

_NONCE_BYTES: Final = 12  # random: good for 2^32 secrets under one key


class KeyringCipher:
    """A `SecretCipher` over a keyring file."""

    algorithm = "aes-256-gcm"

    def __init__(self, *, file: KeyringFile) -> None:
        self._file = file

    async def seal(self, secret: Secret, place: SecretPlace) -> Sealed:
        """See `SecretCipher.seal`. Needs no I/O beyond the file."""
        keyring = self._file.current()
        key = keyring.get(keyring.current_id)
        assert key is not None, "the current key is one of them"
        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = secret.reveal().encode()
        return Sealed(
            algorithm=self.algorithm,
            key_id=keyring.current_id,
            ciphertext=nonce + key.encrypt(nonce, text, place.associated_data()),
        )

    async def open(self, sealed: Sealed, place: SecretPlace) -> Secret:
        """See `SecretCipher.open`."""
        key = self._file.current().get(sealed.key_id)
        if key is None:
            raise cannot_open("the keyring does not have its key", sealed)
        nonce, ciphertext = sealed.ciphertext[:_NONCE_BYTES], sealed.ciphertext[_NONCE_BYTES:]
        try:
            return Secret(key.decrypt(nonce, ciphertext, place.associated_data()).decode())
        except (InvalidTag, ValueError):
            raise cannot_open("the ciphertext is not of this place and key", sealed) from None

    async def is_current(self, sealed: Sealed) -> bool:
        """See `SecretCipher.is_current`."""
        current = self._file.current().current_id
        return (sealed.algorithm, sealed.key_id) == (self.algorithm, current)
