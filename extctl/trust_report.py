"""What a trust bundle says, for people: who is trusted, since when, and what runs out soon."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.trust.certificate import Certificate, CertificateInvalidError
from shared.trust.envelope import read_envelope
from shared.trust.trust_bundle import TrustBundle
from shared.trust.trust_entry import AnyEntry, RevokedCertificate, TrustedKey

SOON: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReport:
    """One entry; `state` is trusted, not yet valid, expired or revoked."""

    kind: str
    key_id: str
    name: str
    publishers: tuple[str, ...]
    state: str
    not_before: datetime | None
    not_after: datetime | None
    revoked_at: datetime | None

    def warnings(self, now: datetime) -> Iterator[str]:
        """What an operator should know of it."""
        what = f"The {self.kind} {self.key_id[:16]} ({self.name})"
        if self.state == "expired":
            yield f"{what} expired at {self.not_after}: nothing new is trusted by it."
        elif self.state == "trusted" and self.not_after and self.not_after - now < SOON:
            yield f"{what} expires at {self.not_after}."
        if self.kind == "key" and self.state == "trusted" and not self.publishers:
            yield f"{what} may sign for every publisher; `publisher: NAME` before it restricts it."


def report(trust: TrustBundle, now: datetime) -> list[EntryReport]:
    """All entries, in the order of the file."""
    return [_report(entry, now) for entry in trust.entries]


def expiries(
    envelope: bytes | None, key_id: str, trust: TrustBundle, now: datetime
) -> Iterator[str]:
    """What a verified signature is going to lose soon.

    Args:
        envelope: what was verified.
        key_id: of the key that signed it.
        trust: by which it was verified.
        now: the moment to look ahead from.
    """
    for key in trust.keys:
        if key.key_id == key_id:
            if key.not_after is not None and key.not_after - now < SOON:
                yield f"The trust in key {key_id[:16]} ends at {key.not_after.isoformat()}."
            return
    for signature in read_envelope(envelope or b"").signatures:
        for der in signature.chain:
            certificate = _readable(der)
            if certificate and certificate.parsed.not_valid_after_utc - now < SOON:
                yield (
                    f"The certificate ({certificate.subject}) expires at "
                    f"{certificate.parsed.not_valid_after_utc.isoformat()}; what is published "
                    "before stays trusted."
                )


def _report(entry: AnyEntry, now: datetime) -> EntryReport:
    not_before, not_after = entry.not_before, entry.not_after
    if isinstance(entry, TrustedKey):
        kind, name = "key", entry.algorithm.value
    else:
        kind = "certificate" if isinstance(entry, RevokedCertificate) else "root"
        name = entry.certificate.subject
        parsed = entry.certificate.parsed
        not_before = max(filter(None, (not_before, parsed.not_valid_before_utc)))
        not_after = min(filter(None, (not_after, parsed.not_valid_after_utc)))
    if entry.revocation(now):
        state = "revoked"
    elif not_before is not None and now < not_before:
        state = "not yet valid"
    elif not_after is not None and now > not_after:
        state = "expired"
    else:
        state = "trusted"
    return EntryReport(
        kind=kind, key_id=entry.key_id, name=name, publishers=tuple(sorted(entry.publishers)),
        state=state, not_before=not_before, not_after=not_after, revoked_at=entry.revoked_at,
    )  # fmt: skip


def _readable(der: bytes) -> Certificate | None:
    try:
        return Certificate.from_der(der)
    except CertificateInvalidError:
        return None
