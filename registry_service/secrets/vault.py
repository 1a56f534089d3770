"""Sealing in HashiCorp Vault or OpenBao: their transit engine, over its HTTP API.

The keys never leave the vault. The key must be of a type that takes associated data
(aes256-gcm96, the default).
"""

import base64
import binascii
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import structlog

from registry_service.secrets.cipher import cannot_open
from registry_service.secrets.model import Sealed, SecretPlace
from shared.errors import SecretsUnavailableError
from shared.secret import Secret
from shared.strict_json import JsonInvalidError, parse_json

TIMEOUT_SECONDS: Final = 3.0
_MAX_ANSWER_BYTES: Final = 64 * 1024
_MAX_TOKEN_BYTES: Final = 4096
_BAD_REQUEST: Final = 400
_OK: Final = 200
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]{1,30000}", re.ASCII)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKey:
    """Which key of which vault, and what proves that it may be used."""

    address: str
    """Such as `https://vault.example.com:8200`."""
    mount: str
    key: str
    token_file: Path
    """Read for each call: an agent may renew it at any time."""
    namespace: str = ""
    ca_file: Path | None = None
    """None trusts the system's authorities."""


class VaultTransitCipher:
    """A `SecretCipher` over one transit key."""

    algorithm = "vault-transit"

    def __init__(self, *, session: aiohttp.ClientSession, key: VaultKey) -> None:
        self._session = session
        self._key = key

    async def seal(self, secret: Secret, place: SecretPlace) -> Sealed:
        """See `SecretCipher.seal`."""
        told = await self._call(
            "encrypt",
            {
                "plaintext": _base64(secret.reveal().encode()),
                "associated_data": _base64(place.associated_data()),
            },
        )
        ciphertext = told and told.get("ciphertext")
        match = _CIPHERTEXT.fullmatch(ciphertext) if isinstance(ciphertext, str) else None
        if match is None:
            raise _unavailable("it gave no ciphertext")
        return Sealed(
            algorithm=self.algorithm,
            key_id=f"{self._key.mount}/{self._key.key}:v{match[1]}",
            ciphertext=match[0].encode(),
        )

    async def open(self, sealed: Sealed, place: SecretPlace) -> Secret:
        """See `SecretCipher.open`."""
        told = await self._call(
            "decrypt",
            {
                "ciphertext": sealed.ciphertext.decode("ascii", "replace"),
                "associated_data": _base64(place.associated_data()),
            },
        )
        if told is None:
            raise cannot_open("the vault's key did not seal it for this place", sealed)
        try:
            return Secret(base64.b64decode(str(told["plaintext"]), validate=True).decode())
        except (KeyError, binascii.Error, ValueError):
            raise _unavailable("it gave no plaintext") from None

    async def is_current(self, sealed: Sealed) -> bool:
        """See `SecretCipher.is_current`."""
        if sealed.algorithm != self.algorithm:
            return False
        told = await self._call("keys", None)
        if told is None:
            raise _unavailable("it does not tell of its key")
        return sealed.key_id == f"{self._key.mount}/{self._key.key}:v{told.get('latest_version')}"

    async def _call(
        self, operation: str, body: Mapping[str, str] | None
    ) -> Mapping[str, object] | None:
        """Asks the vault; neither what is sent nor what comes back is ever repeated.

        Returns:
            The answer's data; None when the vault found fault with the request.

        Raises:
            SecretsUnavailableError: it cannot be used.
        """
        url = f"{self._key.address}/v1/{self._key.mount}/{operation}/{self._key.key}"
        headers = {"X-Vault-Token": _token(self._key.token_file), "X-Vault-Request": "true"}
        if self._key.namespace:
            headers["X-Vault-Namespace"] = self._key.namespace
        try:
            async with self._session.request(
                "GET" if body is None else "POST",
                url,
                json=body,
                headers=headers,
                allow_redirects=False,  # the token and the secret go to nobody else
            ) as answer:
                status, text = answer.status, await _bounded(answer.content)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unavailable(f"it does not answer ({type(error).__name__})") from None
        if status == _BAD_REQUEST:
            return None
        if status != _OK:
            # 403: token or policy; 404: mount or key; 503: sealed
            raise _unavailable(f"it answered {status} to {operation}")
        try:
            document = parse_json(text, max_bytes=_MAX_ANSWER_BYTES)
        except JsonInvalidError:
            document = None
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict):
            raise _unavailable("its answer is none of a vault")
        return data


def _token(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            token = stream.read(_MAX_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, ValueError):
        token = ""
    if not token.isprintable() or not token:
        raise _unavailable("its token file cannot be read, or holds no token")
    return token


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    text = b""
    while len(text) <= _MAX_ANSWER_BYTES and (part := await content.read(_MAX_ANSWER_BYTES)):
        text += part
    return text


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unavailable(why: str) -> SecretsUnavailableError:
    _log.error("the vault cannot be used", why=why)
    return SecretsUnavailableError("The vault cannot be used now; the registry's log says why.")


@asynccontextmanager
async def open_vault(key: VaultKey) -> AsyncIterator[VaultTransitCipher]:
    """A cipher over the vault's key; nothing is sent before it is used.

    Raises:
        OSError: the file of authorities cannot be read, or holds none.
    """
    context = ssl.create_default_context(cafile=key.ca_file)
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        connector=aiohttp.TCPConnector(ssl=context, limit=16),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # no proxy of the environment sees secrets
    ) as session:
        yield VaultTransitCipher(session=session, key=key)
