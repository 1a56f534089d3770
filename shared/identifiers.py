"""The identifiers that cross module boundaries, and their grammars.

A parser here either gives an identifier in its one canonical form or raises
`ArgumentInvalidError`; nothing else in the project matches these strings.
"""

import re
import uuid
from typing import NewType

from shared.errors import ArgumentInvalidError

TenantId = NewType("TenantId", uuid.UUID)
RegistryId = NewType("RegistryId", uuid.UUID)
VersionId = NewType("VersionId", uuid.UUID)
InstallId = NewType("InstallId", uuid.UUID)
ExecutionId = NewType("ExecutionId", uuid.UUID)
RequestId = NewType("RequestId", str)
ContentHash = NewType("ContentHash", str)
"""`sha256:` and 64 lowercase hex digits."""

_CONTENT_HASH = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_PUBLISHER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)
_EXTENSION_NAME = re.compile(
    r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.ASCII
)
MAX_NAME_LENGTH = 128


def parse_uuid(text: str, what: str) -> uuid.UUID:
    """Parses the canonical 36-character form of a UUID, any version.

    Raises:
        ArgumentInvalidError: `text` is not one; the message names `what`.
    """
    try:
        value = uuid.UUID(text)
    except ValueError:
        value = None
    if value is None or str(value) != text.lower():
        raise ArgumentInvalidError(f"{what} must be a UUID such as {uuid.UUID(int=1)}.", what=what)
    return value


def parse_content_hash(text: str) -> ContentHash:
    """Parses `sha256:<64 lowercase hex>`.

    Raises:
        ArgumentInvalidError: it is anything else.
    """
    if not _CONTENT_HASH.fullmatch(text):
        raise ArgumentInvalidError(
            'A content hash is "sha256:" and 64 lowercase hex digits.', what="content_hash"
        )
    return ContentHash(text)


def content_hash_of_digest(digest: bytes) -> ContentHash:
    """The content hash whose SHA-256 digest is these 32 bytes."""
    return ContentHash(f"sha256:{digest.hex()}")


def parse_publisher(text: str) -> str:
    """Parses a publisher: 1 to 64 of `a-z 0-9 -`, no hyphen at either end.

    Raises:
        ArgumentInvalidError: it is anything else.
    """
    if not _PUBLISHER.fullmatch(text):
        raise ArgumentInvalidError(
            "A publisher is 1 to 64 of a-z, 0-9 and inner hyphens.", what="publisher"
        )
    return text


def parse_extension_name(text: str) -> str:
    """Parses an extension's name: labels of `a-z 0-9 -` joined by dots, at most 128 characters.

    Raises:
        ArgumentInvalidError: it is anything else.
    """
    if len(text) > MAX_NAME_LENGTH or not _EXTENSION_NAME.fullmatch(text):
        raise ArgumentInvalidError(
            "A name is labels of a-z, 0-9 and inner hyphens, joined by dots.", what="name"
        )
    return text


def is_request_id(text: str) -> bool:
    """Whether `text` may be taken over as a request id: 1 to 128 of `A-Z a-z 0-9 . _ -`."""
    return _REQUEST_ID.fullmatch(text) is not None


def new_request_id() -> RequestId:
    """A fresh request id."""
    return RequestId(uuid.uuid4().hex)
