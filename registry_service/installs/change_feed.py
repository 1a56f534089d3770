"""Telling every watcher what changed, or that it must start afresh; never waiting for one."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.install_changes import Change, Resync

MAX_WAITING: Final = 1024
"""Changes that a watcher may be behind; one that is further behind starts afresh."""


class ChangeFeed:
    """Hands changes out to whoever watches."""

    def __init__(self, *, max_waiting: int = MAX_WAITING) -> None:
        self._max_waiting = max_waiting
        self._watchers: set[Watcher] = set()
        self._is_closed = False

    def tell(self, change: Change) -> None:
        """Hands a change to all watchers."""
        for watcher in self._watchers:
            watcher.put(change)

    def close(self) -> None:
        """Ends what watches, for good: a server that stops would wait for it."""
        self._is_closed = True
        for watcher in self._watchers:
            watcher.end()

    @contextmanager
    def watching(self) -> Iterator["Watcher"]:
        """Watches while the block runs; the first that is told is a resync."""
        watcher = Watcher(self._max_waiting)
        watcher.put(Resync())
        if self._is_closed:
            watcher.end()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)


class Watcher:
    """One who watches, and what waits for it."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting: deque[Change] = deque()
        self._news = asyncio.Event()
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        """Whether there will be nothing more."""
        return self._has_ended

    def put(self, change: Change) -> None:
        """Lets a change wait. A resync makes all before it void; so does being too far behind."""
        if isinstance(change, Resync) or len(self._waiting) >= self._max_waiting:
            self._waiting.clear()
            change = Resync()
        self._waiting.append(change)
        self._news.set()

    def end(self) -> None:
        """Ends the watching, without what still waits."""
        self._has_ended = True
        self._news.set()

    async def next(self, timeout_seconds: float) -> Change | None:
        """The next change; None when there was none in time, or the watching has ended."""
        if not self._waiting and not self._has_ended:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._news.wait()
            except TimeoutError:
                return None
        return None if self._has_ended else self._waiting.popleft()
