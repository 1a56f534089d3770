"""Why a signature is not trusted: a stable word for programs, and a sentence for people."""

from dataclasses import dataclass
from enum import StrEnum


class SignatureFault(StrEnum):
    """What failed. In the order in which it is looked for: the last is the nearest miss."""

    ENVELOPE = "envelope"
    """The bytes are no envelope."""
    SIGNATURE = "signature"
    """No key that the trust bundle or a chain names made it over this statement."""
    CHAIN = "chain"
    """The certificates do not lead to a root, or one of them may not be where it is."""
    VALIDITY = "validity"
    """A key or certificate is not valid yet, or no longer."""
    REVOKED = "revoked"
    """A key was revoked."""
    PUBLISHER = "publisher"
    """The signer may not sign for this publisher."""
    STATEMENT = "statement"
    """What was signed is about another extension or version, or no statement of ours."""
    CONTENT_HASH = "content_hash"
    """What was signed is about other bytes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fault, with what is to be said about it."""

    fault: SignatureFault
    detail: str

    @property
    def nearness(self) -> int:
        """How far the signature came; the nearest of several misses is the one to tell."""
        return list(SignatureFault).index(self.fault)
