"""A text that must not be shown."""

import hmac
from typing import NoReturn


class Secret:
    """Holds a text so that it cannot get into a log, an error or a trace by accident.

    `repr`, `str` and formatting hide it, and it cannot be pickled or copied; `reveal` is the one
    way to it, and easy to look for.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _specification: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a key of a dict would be shown with it

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")
