"""Finding what must not be published: private keys, and what looks like a service's token.

Each file is searched for fixed beginnings, and only what follows one is looked at more closely,
for a bounded length: the time is linear in the bytes, whatever they are. What is found is never
repeated; only where, and of which kind.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_WINDOW: Final = 400
_MAX_BEGINNINGS: Final = 10_000
"""Of a kind in a file that are looked at: a file of nothing but beginnings hides only itself."""
_PRIVATE_KEY: Final = "private key"

# A key's text follows its header, in lines or with line ends written as \n. A library that only
# knows the header, as many do, has none.
_PEM_KEY = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY-----"
    rb"(?:(?:\r?\n|\\r|\\n)[A-Za-z-]{1,32}: [ -~]{0,64}){0,4}"
    rb"(?:\s|\\r|\\n){1,8}[A-Za-z0-9+/]{24}"
)
_TOKENS: Final[Mapping[bytes, tuple[str, re.Pattern[bytes]]]] = {
    b"AKIA": ("AWS access key id", re.compile(rb"AKIA[0-9A-Z]{16}(?![0-9A-Za-z])")),
    b"ASIA": ("AWS access key id", re.compile(rb"ASIA[0-9A-Z]{16}(?![0-9A-Za-z])")),
    b"ghp_": ("GitHub token", re.compile(rb"ghp_[0-9A-Za-z]{36}")),
    b"gho_": ("GitHub token", re.compile(rb"gho_[0-9A-Za-z]{36}")),
    b"ghu_": ("GitHub token", re.compile(rb"ghu_[0-9A-Za-z]{36}")),
    b"ghs_": ("GitHub token", re.compile(rb"ghs_[0-9A-Za-z]{36}")),
    b"ghr_": ("GitHub token", re.compile(rb"ghr_[0-9A-Za-z]{36}")),
    b"github_pat_": ("GitHub token", re.compile(rb"github_pat_[0-9A-Za-z_]{40}")),
    b"xoxb-": ("Slack token", re.compile(rb"xoxb-[0-9]{6,14}-[0-9A-Za-z-]{10}")),
    b"xoxp-": ("Slack token", re.compile(rb"xoxp-[0-9]{6,14}-[0-9A-Za-z-]{10}")),
    b"xapp-": ("Slack token", re.compile(rb"xapp-[0-9]-[0-9A-Z]{6,14}-[0-9A-Za-z-]{10}")),
    b"sk_live_": ("Stripe key", re.compile(rb"sk_live_[0-9A-Za-z]{20}")),
    b"rk_live_": ("Stripe key", re.compile(rb"rk_live_[0-9A-Za-z]{20}")),
}
_BEGINNINGS: Final = {b"-----BEGIN ": (_PRIVATE_KEY, _PEM_KEY), **_TOKENS}


@dataclass(frozen=True, slots=True, order=True)
class EmbeddedSecret:
    """Where something is that should not be, and what it is. `is_certain`: nothing else looks so.

    `offset` is in bytes, of the first of its kind in the file.
    """

    path: str
    kind: str
    offset: int

    @property
    def is_certain(self) -> bool:
        """Whether it must not be published; the others are guesses."""
        return self.kind == _PRIVATE_KEY


def embedded_secrets(files: Mapping[str, bytes]) -> list[EmbeddedSecret]:
    """The first of each kind in each file. Blocks for up to a second on the largest bundles."""
    found: dict[tuple[str, str], int] = {}
    for path, content in files.items():
        for beginning, (kind, pattern) in _BEGINNINGS.items():
            for offset in _first(content, beginning, pattern):
                found[path, kind] = min(offset, found.get((path, kind), offset))
    return sorted(EmbeddedSecret(path, kind, offset) for (path, kind), offset in found.items())


def _first(content: bytes, beginning: bytes, pattern: re.Pattern[bytes]) -> Iterator[int]:
    start = -1
    for _ in range(_MAX_BEGINNINGS):
        start = content.find(beginning, start + 1)
        if start < 0:
            return
        if pattern.match(content, start, start + _WINDOW):
            yield start
            return
