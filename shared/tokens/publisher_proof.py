"""Publisher proofs: that an owner of a publisher wants one action done.

A short-lived EdDSA JWT, signed with an owner's Ed25519 key and sent as `x-publisher-proof`. It
names the publisher, the action and what the action is about, so it allows nothing else; its id
lets the registry take it once only. The service token beside it says which process calls, and is
not the owner's word.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.errors import PublisherNotOwnedError
from shared.tokens.keys import SigningKey

PROOF_LIFETIME: Final = timedelta(minutes=5)
AUDIENCE: Final = "extension-publisher"
TYPE: Final = "publisher-proof+jwt"
LEEWAY: Final = timedelta(seconds=30)
MAX_PROOF_LENGTH: Final = 2048
MAX_PROOF_ID_LENGTH: Final = 64


class PublisherAction(StrEnum):
    """What an owner may want done; `about` of a proof is what stands behind each."""

    CREATE_ENTRY = "create_entry"
    """publisher.name"""
    ADD_VERSION = "add_version"
    """the content hash of the bundle"""
    ADD_OWNER = "add_owner"
    """the key id of the new owner"""
    REMOVE_OWNER = "remove_owner"
    """the key id of the owner who leaves"""
    OFFER_TRANSFER = "offer_transfer"
    """publisher.name, a space, the receiving publisher"""
    ACCEPT_TRANSFER = "accept_transfer"
    """publisher.name, as it is still called"""
    DEPRECATE = "deprecate"
    """publisher.name, a space, the version; so with those that follow"""
    UNDEPRECATE = "undeprecate"
    YANK = "yank"
    UNYANK = "unyank"


@dataclass(frozen=True, slots=True)
class PublisherProof:
    """A proof that was verified: by which owner, under which id, and until when it could come."""

    key_id: str
    proof_id: str
    expires_at: datetime


def issue_proof(
    key: SigningKey, *, publisher: str, action: PublisherAction, about: str, now: datetime
) -> str:
    """Signs that the owner who holds `key` wants `action` done to `about`."""
    claims = {
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + PROOF_LIFETIME,
        "jti": uuid.uuid4().hex,
        "publisher": publisher,
        "action": action.value,
        "about": about,
    }
    headers = {"kid": key.key_id, "typ": TYPE}
    return jwt.encode(claims, key.private, "EdDSA", headers=headers)


def verify_proof(
    proof: str,
    *,
    owners: Mapping[str, Ed25519PublicKey],
    publisher: str,
    action: PublisherAction,
    about: str,
    now: datetime,
) -> PublisherProof:
    """Verifies that an owner wants exactly this.

    Args:
        proof: what `issue_proof` made.
        owners: the keys of the publisher's owners, by key id.
        publisher: whose owners they are.
        action: what is about to be done.
        about: to what.
        now: the moment to judge by.

    Raises:
        PublisherNotOwnedError: it is no owner's, says something else, or is not valid now.
    """
    if len(proof) > MAX_PROOF_LENGTH:
        raise PublisherNotOwnedError("The publisher proof is too long.")
    try:
        header = jwt.get_unverified_header(proof)
        key_id = header["kid"]
        if header.get("typ") != TYPE:
            raise PublisherNotOwnedError("The token is no publisher proof.")
        if key_id not in owners:
            raise PublisherNotOwnedError(
                f'The key that signed the proof is no owner of "{publisher}": sign with an '
                "owner's key, or let an owner add it."
            )
        claims = jwt.decode(
            proof,
            owners[key_id],
            algorithms=["EdDSA"],
            audience=AUDIENCE,
            options={
                "require": ["exp", "iat", "aud", "jti", "publisher", "action", "about"],
                "verify_exp": False,
                "verify_iat": False,
                "strict_aud": True,
            },
        )
        issued_at, expires_at = _moment(claims["iat"]), _moment(claims["exp"])
        proof_id = claims["jti"]
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, OverflowError):
        raise PublisherNotOwnedError("The publisher proof is not valid.") from None
    if not isinstance(proof_id, str) or not _is_proof_id(proof_id):
        raise PublisherNotOwnedError("The publisher proof has no usable id.")
    if (claims["publisher"], claims["action"], claims["about"]) != (publisher, action, about):
        raise PublisherNotOwnedError(
            f'The publisher proof says something else than "{action}" about this for "{publisher}".'
        )
    if not issued_at - LEEWAY <= now < expires_at + LEEWAY:
        raise PublisherNotOwnedError("The publisher proof is expired or not yet valid.")
    if expires_at - issued_at > PROOF_LIFETIME:
        raise PublisherNotOwnedError("The publisher proof lives longer than it may.")
    return PublisherProof(key_id, proof_id, expires_at + LEEWAY)


def _moment(seconds: object) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError("a moment is a number of seconds")
    return datetime.fromtimestamp(seconds, UTC)


def _is_proof_id(text: str) -> bool:
    return 0 < len(text) <= MAX_PROOF_ID_LENGTH and text.isascii() and text.isprintable()
