"""The request target: an address is either plain, or refused.

What is matched with the manifest is, character by character, what the guest sees, so no second
reader can understand it differently: it is decoded once, whatever could be decoded again or
resolved is an error, and it is written in the one canonical way. Reads bytes as they came over the
wire (`raw_path`), never a server's reading of them.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from shared.errors import ArgumentInvalidError, ExtensionError, MethodNotAllowedError
from shared.identifiers import parse_extension_name, parse_publisher, parse_uuid

PREFIX = b"/api/ext/"
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
MAX_PATH_BYTES = 2048
MAX_QUERY_BYTES = 8192
MAX_SEGMENTS = 64
MAX_EXTENSION_LENGTH = 200

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_HIDDEN_SEPARATOR = re.compile(rb"%(?:2[fF]|5[cC]|00)")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
# C0, DEL, C1, the line separators, and what would end the path inside the guest's URL.
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\\\\?#]")
_PLAIN = "/!$&'()*+,;=:@"  # beside letters, digits and -._~
_QUERY = re.compile(rb"[!$-~\x22]*")  # visible ASCII but "#"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    extension: str
    """An install id, a registry id or `publisher.name`, in lower case."""
    path: str
    """ASCII, starts with "/", has no empty, "." or ".." segment and no "/" at its end (but "/").
    Only what cannot stand in a path by itself (RFC 3986, `pchar`) is percent-encoded."""
    query: str
    """As it came, without "?"."""

    @property
    def url(self) -> str:
        """The path and the query, as the guest sees them."""
        return f"{self.path}?{self.query}" if self.query else self.path


def parse_method(method: str) -> str:
    """The method, when it is one that extensions can be called with.

    Raises:
        MethodNotAllowedError: it is another.
    """
    if method not in METHODS:
        raise MethodNotAllowedError(
            "Extensions are called with GET, HEAD, POST, PUT, PATCH or DELETE.",
            allow=", ".join(METHODS),
        )
    return method


def parse_target(raw_path: bytes, query: bytes) -> Target:
    """Parses `/api/ext/{extension}/{path}`.

    Args:
        raw_path: the path as it came, starting with `PREFIX`.
        query: the query as it came, without "?".

    Raises:
        ArgumentInvalidError: the address is too long, or not plain.
    """
    if len(raw_path) > MAX_PATH_BYTES:
        raise _invalid("path", f"The path is longer than {MAX_PATH_BYTES} bytes.")
    if len(query) > MAX_QUERY_BYTES:
        raise _invalid("query", f"The query is longer than {MAX_QUERY_BYTES} bytes.")
    if not raw_path.startswith(PREFIX):
        raise _invalid("path", "The path does not start with /api/ext/ in plain letters.")
    if not _QUERY.fullmatch(query):
        raise _invalid("query", "The query has a character that must be percent-encoded.")
    extension, _, rest = raw_path[len(PREFIX) :].partition(b"/")
    return Target(parse_extension(extension), normalize_path(b"/" + rest), query.decode("ascii"))


def parse_extension(raw: bytes) -> str:
    """Parses the segment that names the extension.

    Raises:
        ArgumentInvalidError: it is neither a UUID nor `publisher.name`.
    """
    if len(raw) <= MAX_EXTENSION_LENGTH and raw.isascii():
        text = raw.decode("ascii").lower()
        publisher, dot, name = text.partition(".")
        try:
            if not dot:
                return str(parse_uuid(text, "extension"))
            return f"{parse_publisher(publisher)}.{parse_extension_name(name)}"
        except ExtensionError:
            pass
    raise _invalid(
        "extension",
        'The extension must be an install id, a registry id or "publisher.name".',
    )


def normalize_path(raw: bytes) -> str:
    """Decodes a path once and writes it canonically; what it gives it gives again.

    Args:
        raw: at most `MAX_PATH_BYTES`, starting with "/".

    Raises:
        ArgumentInvalidError: it is not a plain path.
    """
    if _BROKEN_ESCAPE.search(raw):
        raise _invalid("path", "The path has a broken percent-escape.")
    if _HIDDEN_SEPARATOR.search(raw):
        raise _invalid("path", "The path hides a separator (%2F, %5C or %00).")
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid("path", "The path is not UTF-8.") from None
    if _ESCAPE.search(path):
        raise _invalid("path", "The path is percent-encoded twice.")
    if _UNSPEAKABLE.search(path):
        raise _invalid("path", "The path has a backslash, ?, # or a control character in it.")
    if path == "/":
        return path
    segments = path.split("/")[1:]
    if len(segments) > MAX_SEGMENTS:
        raise _invalid("path", f"The path has more than {MAX_SEGMENTS} segments.")
    if not segments[-1]:
        segments.pop()  # "/a/" is "/a", for the matcher and for the guest
    if any(segment in ("", ".", "..") for segment in segments):
        raise _invalid("path", 'The path has an empty, "." or ".." segment.')
    return quote("/" + "/".join(segments), safe=_PLAIN)


def _invalid(what: str, message: str) -> ArgumentInvalidError:
    return ArgumentInvalidError(message, what=what)
