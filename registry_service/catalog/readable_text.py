"""Text that people will read, from callers who may mean to trick them."""

from typing import Final

from shared.errors import ArgumentInvalidError

MAX_LABEL: Final = 200
MAX_DESCRIPTION: Final = 2000
MAX_REASON: Final = 500


def readable(text: str, what: str, max_length: int, *, also: str = "") -> str:
    """The text, if it is bounded and has nothing that steers a terminal.

    Args:
        text: what was given.
        what: the field's name, for the error.
        max_length: in characters.
        also: characters that are allowed although they do not print.

    Raises:
        ArgumentInvalidError: it is longer, or has such a character.
    """
    if len(text) > max_length:
        raise ArgumentInvalidError(f"{what} has more than {max_length} characters.", what=what)
    if not all(char.isprintable() or char in also for char in text):
        raise ArgumentInvalidError(f"{what} has control characters.", what=what)
    return text


def reason_of(text: str) -> str:
    """A reason, which must say something.

    Raises:
        ArgumentInvalidError: it is empty, too long, or steers a terminal.
    """
    if not text.strip():
        raise ArgumentInvalidError("Say why, in a sentence.", what="reason")
    return readable(text.strip(), "reason", MAX_REASON)
