"""The trust bundle: who may sign bundles, as an operator writes it in one PEM file.

Lines before a key's block restrict that key:

    # the signing key of our partner
    publisher: acme
    not-after: 2027-12-31T00:00:00Z
    -----BEGIN PUBLIC KEY-----
    ...

`publisher` may be repeated; `not-before`, `not-after` and `revoked-at` are RFC 3339 moments. A line
that looks like a restriction and is not one of these refuses the file: a misspelt restriction must
not widen trust.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import ArgumentInvalidError, TrustBundleInvalidError
from shared.identifiers import parse_publisher
from shared.trust.pem import PemBlock, split_pem
from shared.trust.trust_entry import TrustEntry, key_id_of, load_public_key

_MAX_ENTRIES: Final = 256
_PUBLISHER: Final = "publisher"
_MOMENTS: Final = ("not-before", "not-after", "revoked-at")
_RESTRICTION = re.compile(r"([a-z-]+): *(\S+)", re.ASCII)
_LOOKS_LIKE_ONE = re.compile(r"[:=]|^(?:publisher|not|revoked|valid|expire)", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """The entries, in the order of the file. Without any, nothing can be verified."""

    entries: tuple[TrustEntry, ...] = ()

    @classmethod
    def from_pem(cls, data: bytes) -> "TrustBundle":
        """Reads the PEM file's text.

        Raises:
            TrustBundleInvalidError: anything in it is broken, unknown, secret, weak or there
                twice, or it holds no key at all. The message names the line.
        """
        blocks, dangling = split_pem(data)
        if any(_LOOKS_LIKE_ONE.search(note) for note in dangling):
            raise TrustBundleInvalidError(
                "The PEM file ends with a restriction that no key follows; put it before its key."
            )
        if not blocks:
            raise TrustBundleInvalidError(
                "The trust bundle holds no public key; add one with `extctl keygen`."
            )
        if len(blocks) > _MAX_ENTRIES:
            raise TrustBundleInvalidError(f"The trust bundle has more than {_MAX_ENTRIES} keys.")
        entries = tuple(_entry(block) for block in blocks)
        seen: set[str] = set()
        for block, entry in zip(blocks, entries, strict=True):
            if entry.key_id in seen:
                raise _refused(block.line, "this key is in the file already")
            seen.add(entry.key_id)
        return cls(entries)


def _entry(block: PemBlock) -> TrustEntry:
    if block.label.endswith("PRIVATE KEY"):
        raise _refused(
            block.line, "this is a private key; keep it secret, and put its public key here"
        )
    if block.label == "CERTIFICATE":
        raise _refused(block.line, "certificates are not supported yet; put a public key here")
    if block.label != "PUBLIC KEY":
        raise _refused(block.line, f"a {block.label} block does not belong here")
    publishers, moments = _restrictions(block.notes, block.line)
    try:
        algorithm, key = load_public_key(block.der)
    except TrustBundleInvalidError as error:
        raise _refused(block.line, error.message.rstrip(".")) from None
    return TrustEntry(
        key_id=key_id_of(key),
        algorithm=algorithm,
        publishers=publishers,
        not_before=moments.get("not-before"),
        not_after=moments.get("not-after"),
        revoked_at=moments.get("revoked-at"),
        key=key,
    )


def _restrictions(notes: Sequence[str], line: int) -> tuple[frozenset[str], dict[str, datetime]]:
    publishers: set[str] = set()
    moments: dict[str, datetime] = {}
    for note in notes:
        found = _RESTRICTION.fullmatch(note)
        word, value = (found[1], found[2]) if found else ("", "")
        if word == _PUBLISHER:
            publishers.add(_publisher(value, line))
        elif word in _MOMENTS:
            if word in moments:
                raise _refused(line, f"{word} is given twice for this key")
            moments[word] = _moment(word, value, line)
        elif _LOOKS_LIKE_ONE.search(note):
            raise _refused(
                line,
                f"before this key stands {note[:60]!a}, which looks like a restriction but is none "
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
