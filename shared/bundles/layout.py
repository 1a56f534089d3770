"""What a bundle is made of, what its objects are called, and how large it may be.

A bundle is one `bundle.tar.zst`, addressed by the SHA-256 of the archive's bytes. Everything about
it lives below `sha256/<hex>/`, for all tenants alike.
"""

import re
from dataclasses import dataclass
from typing import Final

from shared.errors import ArgumentInvalidError
from shared.identifiers import ContentHash, parse_content_hash

BUNDLE_NAME: Final = "bundle.tar.zst"
MANIFEST_PATH: Final = "manifest.json"
COMPONENT_PATH: Final = "dist/main.wasm"
UI_PREFIX: Final = "ui/"

MIB: Final = 1024 * 1024
_MAX_KEY_BYTES: Final = 512
_KEY_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
_OBJECT_KEY = re.compile(r"sha256/([0-9a-f]{64})/[A-Za-z0-9_-]", re.ASCII)
_SHA256_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleLimits:
    """How large a bundle may be, at each point where it could grow out of hand."""

    packed_bytes: int = 20 * MIB
    unpacked_bytes: int = 64 * MIB
    ratio: int = 50
    """Unpacked bytes for one packed byte, once more than `ratio_free_bytes` are unpacked."""
    ratio_free_bytes: int = MIB
    entries: int = 2000
    path_bytes: int = 200
    path_depth: int = 16
    window_log: int = 23
    """log2 of the largest zstd window, in bytes: what unpacking holds in memory."""


DEFAULT_LIMITS: Final = BundleLimits()


def bundle_key(content_hash: ContentHash) -> str:
    """The object key of a bundle: `sha256/<hex>/bundle.tar.zst`.

    Raises:
        ArgumentInvalidError: the content hash is malformed.
    """
    return f"sha256/{_hex(content_hash)}/{BUNDLE_NAME}"


def signature_key(content_hash: ContentHash, envelope_sha256_hex: str) -> str:
    """The object key of one signature envelope: `sha256/<hex>/<envelope hex>.dsse.json`.

    Raises:
        ArgumentInvalidError: a hash is malformed.
    """
    if not _SHA256_HEX.fullmatch(envelope_sha256_hex):
        raise ArgumentInvalidError(
            "An envelope's hash is 64 lowercase hex digits.", what="envelope_sha256"
        )
    return f"sha256/{_hex(content_hash)}/{envelope_sha256_hex}.dsse.json"


def compiled_key(content_hash: ContentHash, name: str) -> str:
    """The object key of compiled code: `sha256/<hex>/compiled/<name>.cwasm`.

    Raises:
        ArgumentInvalidError: the content hash or the name is malformed.
    """
    return parse_key(f"sha256/{_hex(content_hash)}/compiled/{name}.cwasm")


def content_hash_of_key(key: str) -> ContentHash | None:
    """The bundle that an object belongs to; None when it is none of ours."""
    match = _OBJECT_KEY.match(key)
    return ContentHash(f"sha256:{match[1]}") if match else None


def parse_key(text: str) -> str:
    """Checks the grammar that every store agrees on: plain segments joined by slashes.

    No segment may start with a dot, so a key can neither climb out of a directory nor name a
    store's own temporary files.

    Raises:
        ArgumentInvalidError: the key is anything else, or longer than 512 bytes.
    """
    if len(text) > _MAX_KEY_BYTES or not all(
        _KEY_SEGMENT.fullmatch(segment) for segment in text.split("/")
    ):
        raise ArgumentInvalidError(
            "An object key is segments of A-Z, a-z, 0-9, '.', '_' and '-' joined by '/', "
            f"none starting with a dot, at most {_MAX_KEY_BYTES} bytes.",
            what="key",
        )
    return text


def _hex(content_hash: ContentHash) -> str:
    return parse_content_hash(content_hash).removeprefix("sha256:")
