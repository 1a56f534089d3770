"""Where a key set's text comes from: a file, or a URL."""

import asyncio
from pathlib import Path

import aiohttp

from gateway_shim.jwks import ReadKeySet

MAX_BYTES = 256 * 1024
FETCH_SECONDS = 5.0


def key_set_reader(source: str, client: aiohttp.ClientSession) -> ReadKeySet:
    """Reads `source`, an http(s) URL or else a file's path."""
    if source.startswith(("https://", "http://")):
        return _UrlReader(source, client)
    return _FileReader(Path(source))


class _FileReader:
    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self) -> str:
        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        with self._path.open("rb") as file:
            return _text(file.read(MAX_BYTES + 1))


class _UrlReader:
    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self._url = url
        self._client = client

    async def __call__(self) -> str:
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        try:
            async with self._client.get(
                self._url, allow_redirects=False, timeout=timeout
            ) as answer:
                if answer.status != 200:  # noqa: PLR2004 - the one status that carries keys
                    raise OSError(f"the key set's server answered {answer.status}")
                # One byte more than allowed tells that it is too long; `readexactly` would wait.
                found = bytearray()
                async for chunk in answer.content.iter_chunked(64 * 1024):
                    found += chunk
                    if len(found) > MAX_BYTES:
                        break
                return _text(bytes(found))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OSError(f"the key set could not be fetched: {type(error).__name__}") from None


def _text(found: bytes) -> str:
    if len(found) > MAX_BYTES:
        raise ValueError(f"the key set is longer than {MAX_BYTES} bytes")
    return found.decode("utf-8")
