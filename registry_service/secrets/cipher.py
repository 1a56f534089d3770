"""What seals secrets: the port, and the choice between two that are set up."""

from typing import Protocol

import structlog

from registry_service.secrets.model import Sealed, SecretPlace
from shared.errors import SecretsUnavailableError
from shared.secret import Secret

_log = structlog.get_logger(__name__)


class SecretCipher(Protocol):
    """Seals secrets so that they open in their place only."""

    algorithm: str
    """What its ciphertexts are marked with."""

    async def seal(self, secret: Secret, place: SecretPlace) -> Sealed:
        """Seals under the current key.

        Raises:
            SecretsUnavailableError: the backend cannot be used now.
        """
        ...

    async def open(self, sealed: Sealed, place: SecretPlace) -> Secret:
        """Opens what this backend sealed for this very place, under any key that it still has.

        Raises:
            SecretsUnavailableError: the backend cannot be used now, the key is gone, or the
                ciphertext is not of this place; the log says which.
        """
        ...

    async def is_current(self, sealed: Sealed) -> bool:
        """Whether sealing anew would use the same key.

        Raises:
            SecretsUnavailableError: the backend cannot be used now.
        """
        ...


class CipherChoice:
    """Seals with the first cipher and opens with any: the way from one backend to another."""

    def __init__(self, first: SecretCipher, *others: SecretCipher) -> None:
        self._first = first
        self._by_algorithm = {cipher.algorithm: cipher for cipher in (first, *others)}
        self.algorithm = first.algorithm

    async def seal(self, secret: Secret, place: SecretPlace) -> Sealed:
        """See `SecretCipher.seal`."""
        return await self._first.seal(secret, place)

    async def open(self, sealed: Sealed, place: SecretPlace) -> Secret:
        """See `SecretCipher.open`."""
        cipher = self._by_algorithm.get(sealed.algorithm)
        if cipher is None:
            raise cannot_open("no backend is set up for its algorithm", sealed)
        return await cipher.open(sealed, place)

    async def is_current(self, sealed: Sealed) -> bool:
        """See `SecretCipher.is_current`."""
        return sealed.algorithm == self.algorithm and await self._first.is_current(sealed)


def cannot_open(why: str, sealed: Sealed) -> SecretsUnavailableError:
    """The error for a secret that does not open; operators find the cause in the log."""
    _log.error(
        "a secret cannot be opened", why=why, algorithm=sealed.algorithm, key_id=sealed.key_id
    )
    return SecretsUnavailableError("The secret cannot be opened; the registry's log says why.")
