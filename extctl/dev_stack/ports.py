"""Free ports on the loopback interface.

They lie below the range that the kernel hands to outgoing connections, so that no client's socket
takes one between the moment it is chosen and the moment a server binds it.
"""

import secrets
import socket

LOOPBACK = "127.0.0.1"
FIRST, LAST = 20_000, 32_767
_ATTEMPTS = 200


class NoFreePortError(Exception):
    """No free port was found in the range."""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could bind `port` now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections linger in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


class Ports:
    """Gives out ports that are free and that it has not given out before."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def take(self) -> int:
        """A free port.

        Raises:
            NoFreePortError: all that were tried are taken.
        """
        for _ in range(_ATTEMPTS):
            port = FIRST + secrets.randbelow(LAST - FIRST + 1)
            if port not in self._given and is_free(port):
                self._given.add(port)
                return port
        raise NoFreePortError(f"No free port was found between {FIRST} and {LAST}.")
