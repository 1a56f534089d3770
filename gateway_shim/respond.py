"""What of a guest's answer reaches the caller: a status, a few headers on a list, and the body.

The answer is served from the application's own origin, so it must not be able to act there: no
cookie, no script, no redirect elsewhere, no place in a shared cache.
"""

import re
from collections.abc import Callable, Sequence

from gateway_shim.answer import Answer, Headers
from gateway_shim.dispatch import GuestResponse
from shared.errors import GuestResponseInvalidError

MAX_HEADERS = 32
MAX_HEADER_BYTES = 8192
MAX_AGE_SECONDS = 86_400

_STATUSES = range(200, 600)
_WITHOUT_BODY = (204, 205, 304)
_EXTENSION_HEADER = re.compile(r"x-ext-[a-z0-9](?:[a-z0-9-]{0,62})", re.ASCII)
_VALUE = re.compile(r"[\t -~]*")
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 - RFC 9110's word for a name
_CONTENT_TYPE = re.compile(rf"({_TOKEN}/{_TOKEN})(?:\s*;[\t -~]*)?", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"[!#-~]{0,128}"', re.ASCII)
_MAX_AGE = re.compile(r"max-age=([0-9]{1,9})", re.ASCII)
_LOCATION = re.compile(r"(?:/(?![/\\])|[?#]|[A-Za-z0-9._~%-]+(?:[/?#]|$))[!$-\[\]-~#]*", re.ASCII)
_DOT_SEGMENT = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:[/?#]|$)", re.IGNORECASE)
# Types that a browser shows without running anything.
_INERT = frozenset(
    {
        "application/json",
        "application/octet-stream",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/csv",
        "text/plain",
    }
)


def respond(response: GuestResponse, *, request_id: str, max_body_bytes: int) -> Answer:
    """The answer to send for what a guest gave.

    Raises:
        GuestResponseInvalidError: it is no response that could be sent to anyone.
    """
    body = response.body or b""
    if response.status not in _STATUSES:
        raise GuestResponseInvalidError("The extension's status is not from 200 to 599.")
    if len(body) > max_body_bytes:
        raise GuestResponseInvalidError(f"The extension's body is over {max_body_bytes} bytes.")
    given = _allowed(response.headers)
    if response.status in _WITHOUT_BODY:
        body = b""
        given.pop("content-type", None)
    elif body:
        given.setdefault("content-type", ["application/octet-stream"])
    caching = _cache_control(given.pop("cache-control", [""])[0], response.status)
    headers: Headers = [
        (name.encode("ascii"), value.encode("ascii"))
        for name, values in given.items()
        for value in values
    ]
    headers += [
        (b"cache-control", caching.encode("ascii")),
        (b"vary", b"authorization"),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"x-request-id", request_id.encode("ascii")),
    ]
    if not _is_inert(given.get("content-type", [""])[0]):
        headers.append((b"content-security-policy", b"sandbox; default-src 'none'"))
    return Answer(response.status, headers, body)


def _allowed(headers: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The headers on the list, checked; what is not on it is left out unread."""
    found: dict[str, list[str]] = {}
    count = total = 0
    for given_name, given_value in headers:
        name = given_name.lower()
        check = _CHECKS.get(name)
        if check is None and not _EXTENSION_HEADER.fullmatch(name):
            continue
        count, total = count + 1, total + len(name) + len(given_value)
        if count > MAX_HEADERS or total > MAX_HEADER_BYTES:
            raise GuestResponseInvalidError("The extension's headers are too many or too long.")
        value = given_value.strip(" \t")
        if not _VALUE.fullmatch(value):
            raise GuestResponseInvalidError(f"The extension's {name} is not visible ASCII.")
        if check is not None:
            if name in found:
                raise GuestResponseInvalidError(f"The extension gave {name} twice.")
            if not check(value):
                raise GuestResponseInvalidError(f"The extension's {name} cannot be passed on.")
            if name == "content-encoding":
                continue
        found.setdefault(name, []).append(value)
    return found


def _is_local(location: str) -> bool:
    """Whether a reference stays on this origin whatever it is resolved against."""
    return bool(_LOCATION.fullmatch(location)) and not _DOT_SEGMENT.search(location)


def _is_cache_control(_value: str) -> bool:
    return True  # judged word by word, below


_CHECKS: dict[str, Callable[[str], object]] = {
    "cache-control": _is_cache_control,
    # A caller could not read what it is not told to decode, so this is refused, not dropped.
    "content-encoding": lambda value: value.lower() in ("", "identity"),
    "content-type": _CONTENT_TYPE.fullmatch,
    "etag": _ETAG.fullmatch,
    "location": _is_local,
}


def _cache_control(given: str, status: int) -> str:
    """What a guest may say about caching: for this caller only, for a day, when it succeeded."""
    words = [word.strip().lower() for word in given.split(",")]
    age = next((int(found[1]) for word in words if (found := _MAX_AGE.fullmatch(word))), None)
    if status not in range(200, 300) and status != 304:  # noqa: PLR2004 - "not modified"
        return "private, no-store"
    if "no-store" in words:
        return "private, no-store"
    if "no-cache" in words:
        return "private, no-cache"
    if age is None:
        return "private, no-store"
    revalidate = ", must-revalidate" if "must-revalidate" in words else ""
    return f"private, max-age={min(age, MAX_AGE_SECONDS)}{revalidate}"


def _is_inert(content_type: str) -> bool:
    found = _CONTENT_TYPE.fullmatch(content_type)
    essence = found[1].lower() if found else ""
    return essence in _INERT or (essence.startswith("application/") and essence.endswith("+json"))
