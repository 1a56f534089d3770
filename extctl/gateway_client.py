"""Calls an extension over HTTP, through a stack's gateway."""

import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from extctl.failures import CommandError, ExitCode

CALL_SECONDS: Final = 60.0
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_METHOD = re.compile(r"[A-Za-z]{1,16}", re.ASCII)
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([\t\x20-\x7e]*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the gateway answered."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    took_ms: float

    def header(self, name: str) -> str:
        """The first value under `name`, or the empty string."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode(errors="replace")


class GatewayClient:
    """Sends requests as they are given: no redirect is followed, no proxy is used."""

    def __init__(self, *, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request.

        Raises:
            CommandError: the request is malformed, or the gateway does not answer.
        """
        if not _METHOD.fullmatch(method):
            raise CommandError(f"{method!a} is no HTTP method.", exit_code=ExitCode.USAGE)
        if not path.startswith("/"):
            raise CommandError(
                f'The path {path!a} does not start with "/".',
                hint="Give it whole, as /api/ext/acme.agreements/agreements.",
                exit_code=ExitCode.USAGE,
            )
        sent = dict(headers or {})
        if token:
            sent["authorization"] = f"Bearer {token}"
        started = time.monotonic()
        try:
            async with self._session.request(
                method.upper(), URL(self._url + path, encoded=True),
                data=body, headers=sent, allow_redirects=False,
            ) as answer:  # fmt: skip
                content = await answer.content.read(_MAX_ANSWER_BYTES)
                while more := await answer.content.read(_MAX_ANSWER_BYTES - len(content)):
                    content += more
                return Answer(
                    status=answer.status,
                    headers=tuple(answer.headers.items()),
                    body=content,
                    took_ms=(time.monotonic() - started) * 1000,
                )
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise CommandError(
                f"The gateway at {self._url} gave no answer: {str(error) or type(error).__name__}.",
                hint="`extctl doctor` says which part of the stack does not answer.",
                exit_code=ExitCode.UNREACHABLE,
            ) from None


@asynccontextmanager
async def gateway_client(url: str) -> AsyncIterator[GatewayClient]:
    """A client for the gateway at `url`."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with aiohttp.ClientSession(
        timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield GatewayClient(url=url, session=session)


def parse_header(text: str) -> tuple[str, str]:
    """Reads `name: value`.

    Raises:
        CommandError: it is anything else.
    """
    found = _HEADER.fullmatch(text)
    if found is None:
        raise CommandError(
            f"{text!a} is no header.",
            hint="Write it as -H 'accept: application/json'.",
            exit_code=ExitCode.USAGE,
        )
    return found[1], found[2].strip()
