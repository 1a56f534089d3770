"""The trust bundle on disk, read again when an operator changes it."""

from pathlib import Path
from typing import Final

from shared.clock import Clock
from shared.errors import TrustBundleInvalidError
from shared.trust.pem import MAX_PEM_BYTES
from shared.trust.trust_bundle import TrustBundle

_CHECK_SECONDS: Final = 5.0


class TrustBundleFile:
    """Gives the trust bundle as it is now.

    A change counts within five seconds of the next `current()`. A file that turns bad keeps what
    was last good: the calls go on, and `last_error` says so until the file is good again.
    """

    def __init__(self, *, path: Path, clock: Clock) -> None:
        """Reads the file for the first time.

        Raises:
            TrustBundleInvalidError: it cannot be read, or is not a trust bundle.
        """
        self._path = path
        self._clock = clock
        self._data = _read(path)
        self._bundle = TrustBundle.from_pem(self._data)
        self._checked_at = clock.monotonic()
        self.last_error: TrustBundleInvalidError | None = None

    def current(self) -> TrustBundle:
        """The last good trust bundle. Reads a small file at most once in five seconds."""
        if self._clock.monotonic() - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = self._clock.monotonic()
            self._reload()
        return self._bundle

    def _reload(self) -> None:
        # the content is compared, not the time: a replaced file may keep its time and size
        try:
            data = _read(self._path)
            if data != self._data:
                self._bundle = TrustBundle.from_pem(data)
                self._data = data
        except TrustBundleInvalidError as error:
            self.last_error = error
        else:
            self.last_error = None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise TrustBundleInvalidError(
            f"The trust bundle cannot be read: {error.strerror}."
        ) from None
