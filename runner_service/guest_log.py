"""What a guest logs in one call: bounded, and safe to show on a terminal."""

from dataclasses import dataclass
from enum import StrEnum

MAX_LINES = 200
MAX_BYTES = 64 * 1024

# Control characters would let a guest forge lines or drive the terminal of whoever reads them.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_ESCAPES |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
_ESCAPES |= {0x2028: "\\u2028", 0x2029: "\\u2029"}


class Level(StrEnum):
    """How grave a line is."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; it holds no control character."""

    level: Level
    message: str


class GuestLog:
    """Keeps the first lines of a call, at most `MAX_LINES` and `MAX_BYTES` of UTF-8 text."""

    def __init__(self) -> None:
        self._lines: list[LogLine] = []
        self._bytes_left = MAX_BYTES
        self.dropped = 0
        """Lines that were left out, or cut."""

    def add(self, level: Level, message: str) -> None:
        """Keeps the line, cut to what there is room for; counts it when something was lost."""
        if len(self._lines) >= MAX_LINES or self._bytes_left <= 0:
            self.dropped += 1
            return
        # The text is cut before it is looked at: a guest may hand over many megabytes.
        text = message[: self._bytes_left].translate(_ESCAPES)
        encoded = text.encode(errors="replace")[: self._bytes_left]
        text = encoded.decode(errors="ignore")
        if len(encoded) == self._bytes_left:
            self.dropped += 1
        self._bytes_left -= len(encoded)
        self._lines.append(LogLine(level, text))

    def lines(self) -> tuple[LogLine, ...]:
        """The lines in order; when some were lost, the last one says how many."""
        if not self.dropped:
            return tuple(self._lines)
        room = MAX_LINES - 1
        lost = self.dropped + max(0, len(self._lines) - room)
        note = LogLine(Level.WARN, f"{lost} log lines of this call were dropped or cut.")
        return (*self._lines[:room], note)
