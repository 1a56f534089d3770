"""The trust bundle: who may sign bundles, as an operator writes it in one PEM file.

A PUBLIC KEY block trusts that key, a CERTIFICATE block the authority that it is for. Lines before
a block restrict it:

    # the signing key of our partner
    publisher: acme
    not-after: 2027-12-31T00:00:00Z
    -----BEGIN PUBLIC KEY-----
    ...

`publisher` may be repeated; `not-before`, `not-after` and `revoked-at` are RFC 3339 moments. A
signer's certificate may stand here only with `revoked-at`, which withdraws it. A line that looks
like a restriction and is not one of these refuses the file: a misspelt restriction must not widen
trust.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import ArgumentInvalidError, TrustBundleInvalidError
from shared.identifiers import parse_publisher
from shared.trust.certificate import Certificate, CertificateInvalidError
from shared.trust.pem import PemBlock, split_pem
from shared.trust.public_key import key_id_of, load_public_key
from shared.trust.refusal import Refusal
from shared.trust.trust_entry import AnyEntry, RevokedCertificate, TrustedKey, TrustedRoot

_MAX_ENTRIES: Final = 256
_PUBLISHER: Final = "publisher"
_MOMENTS: Final = {
    "not-before": "not_before",
    "not-after": "not_after",
    "revoked-at": "revoked_at",
}
_RESTRICTION = re.compile(r"([a-z-]+): *(\S+)", re.ASCII)
_LOOKS_LIKE_ONE = re.compile(r"[:=]|^(?:publisher|not|revoked|valid|expire)", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


_Moments = dict[str, datetime]


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """The entries, in the order of the file. Without any, nothing can be verified."""

    entries: tuple[AnyEntry, ...] = ()

    @property
    def keys(self) -> tuple[TrustedKey, ...]:
        """The bare keys."""
        return tuple(entry for entry in self.entries if isinstance(entry, TrustedKey))

    @property
    def roots(self) -> tuple[TrustedRoot, ...]:
        """The authorities."""
        return tuple(entry for entry in self.entries if isinstance(entry, TrustedRoot))

    def revocation(self, key_ids: Collection[str], now: datetime) -> Refusal | None:
        """That one of these keys has been revoked by `now`, whichever entry says so."""
        for entry in self.entries:
            if entry.key_id in key_ids and (revocation := entry.revocation(now)):
                return Refusal(revocation.fault, f"Key {entry.key_id[:16]} {revocation.detail}.")
        return None

    @classmethod
    def from_pem(cls, data: bytes) -> "TrustBundle":
        """Reads the PEM file's text.

        Raises:
            TrustBundleInvalidError: anything in it is broken, unknown, secret, weak or there
                twice, or it trusts nobody at all. The message names the line.
        """
        blocks, dangling = split_pem(data)
        if any(_LOOKS_LIKE_ONE.search(note) for note in dangling):
            raise TrustBundleInvalidError(
                "The PEM file ends with a restriction; put it before the block that it is about."
            )
        if not blocks:
            raise TrustBundleInvalidError(
                "The trust bundle holds no public key and no root certificate; "
                "`extctl keygen` makes a key."
            )
        if len(blocks) > _MAX_ENTRIES:
            raise TrustBundleInvalidError(f"The trust bundle has more than {_MAX_ENTRIES} entries.")
        entries = tuple(_entry(block) for block in blocks)
        seen: set[str] = set()
        for block, entry in zip(blocks, entries, strict=True):
            if entry.identity in seen:
                raise _refused(block.line, "this is in the file already")
            seen.add(entry.identity)
        return cls(entries)


def _entry(block: PemBlock) -> AnyEntry:
    if block.label.endswith("PRIVATE KEY"):
        raise _refused(
            block.line, "this is a private key; keep it secret, and put its public key here"
        )
    publishers, moments = _restrictions(block.notes, block.line)
    if block.label == "CERTIFICATE":
        return _certificate_entry(block, publishers, moments)
    if block.label != "PUBLIC KEY":
        raise _refused(block.line, f"a {block.label} block does not belong here")
    try:
        algorithm, key = load_public_key(block.der)
    except TrustBundleInvalidError as error:
        raise _refused(block.line, error.message.rstrip(".")) from None
    return TrustedKey(
        key_id=key_id_of(key), publishers=publishers, **moments, algorithm=algorithm, key=key
    )


def _certificate_entry(
    block: PemBlock, publishers: frozenset[str], moments: _Moments
) -> TrustedRoot | RevokedCertificate:
    try:
        certificate = Certificate.from_der(block.der)
    except CertificateInvalidError as error:
        raise _refused(block.line, f"the certificate {error}") from None
    key_id = certificate.key_id
    if certificate.is_authority:
        if fault := certificate.authority_fault():
            raise _refused(block.line, f"the certificate {fault}")
        return TrustedRoot(key_id=key_id, publishers=publishers, **moments, certificate=certificate)
    revoked_at = moments.pop("revoked_at", None)
    if revoked_at is None or publishers or moments:
        raise _refused(
            block.line,
            "this certificate is a signer's, not an authority's (CA); put its authority here, or "
            "write revoked-at and nothing else before it, to withdraw it",
        )
    return RevokedCertificate(key_id=key_id, revoked_at=revoked_at, certificate=certificate)


def _restrictions(notes: Sequence[str], line: int) -> tuple[frozenset[str], _Moments]:
    publishers: set[str] = set()
    moments: _Moments = {}
    for note in notes:
        found = _RESTRICTION.fullmatch(note)
        word, value = (found[1], found[2]) if found else ("", "")
        if word == _PUBLISHER:
            publishers.add(_publisher(value, line))
        elif word in _MOMENTS:
            if _MOMENTS[word] in moments:
                raise _refused(line, f"{word} is given twice for this block")
            moments[_MOMENTS[word]] = _moment(word, value, line)
        elif _LOOKS_LIKE_ONE.search(note):
            raise _refused(
                line,
                f"before this stands {note[:60]!a}, which looks like a restriction but is none "
                f"of {', '.join((_PUBLISHER, *_MOMENTS))}; start a comment with #",
            )
    return frozenset(publishers), moments


def _publisher(text: str, line: int) -> str:
    try:
        return parse_publisher(text)
    except ArgumentInvalidError as error:
        raise _refused(line, error.message.rstrip(".")) from None


def _moment(word: str, text: str, line: int) -> datetime:
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise _refused(line, f"{word} is not an RFC 3339 moment such as 2027-12-31T00:00:00Z")


def _refused(line: int, why: str) -> TrustBundleInvalidError:
    return TrustBundleInvalidError(f"Line {line} of the trust bundle: {why}.")
