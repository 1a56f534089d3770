"""The key by which a person owns a publisher: read from a file, and used to sign proofs."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from extctl.failures import CommandError
from shared.clock import Clock
from shared.tokens.keys import SigningKey
from shared.tokens.publisher_proof import PublisherAction, issue_proof
from shared.trust.keys import private_pem, read_private_key


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """An owner's key; it may be the signing key too, if that is an Ed25519 key."""

    key: SigningKey
    clock: Clock

    @classmethod
    def read(cls, path: Path, *, clock: Clock) -> "OwnerKey":
        """Reads a key that only its owner may read.

        Raises:
            SigningKeyInvalidError: it cannot be read, or is open to others.
            CommandError: it is no Ed25519 key.
        """
        key = cls.read_if_possible(path, clock=clock)
        if key is None:
            raise CommandError(
                f"{path} is no Ed25519 key; publishers are owned by Ed25519 keys.",
                hint="Make one with `extctl keygen`, and name it with --owner-key. It may be "
                "another key than the one that signs bundles.",
            )
        return key

    @classmethod
    def read_if_possible(cls, path: Path, *, clock: Clock) -> "OwnerKey | None":
        """As `read`, but gives None for a key of another kind.

        Raises:
            SigningKeyInvalidError: it cannot be read, or is open to others.
        """
        private = read_private_key(path)
        if not isinstance(private, Ed25519PrivateKey):
            return None
        return cls(SigningKey.from_pem(private_pem(private)), clock)

    def prove(self, publisher: str, action: PublisherAction, about: str) -> str:
        """A proof that the owner wants this done, good for one call within five minutes."""
        return issue_proof(
            self.key, publisher=publisher, action=action, about=about, now=self.clock.now()
        )
