"""Memory of our own that values for a guest are written into.

Arguments are only borrowed by a call, so they stay here; a host function's result is cloned from
here by wasmtime, in one step, into memory that it owns. Nothing of wasmtime's is allocated before
a value was encoded as a whole, so a value that cannot be encoded leaks nothing.
"""

import ctypes
import struct
from collections.abc import Callable
from ctypes import addressof
from typing import TypeAlias

from runner_service.abi.values import Value
from runner_service.engine import layout
from runner_service.engine.layout import Words


class _TextFullError(Exception):
    """The text did not fit: the arena must grow, and the value be encoded again."""


class Arena:
    """Memory that one thread encodes into, one value at a time; reused from call to call.

    An encoded value lives until the next `encode` or `clear`.
    """

    def __init__(self, *, words: int = 2048, text_bytes: int = 16384) -> None:
        self._words_capacity = words
        self._text_capacity = text_bytes
        self._allocate()
        self.clear()

    def encode(self, *encoded: tuple["Encoder", Value]) -> int:
        """Encodes values side by side, as a function's arguments; gives the first one's address.

        Raises:
            ValueMismatchError: a value is not of its encoder's type.
        """
        while not self._try_encode(encoded):
            self._allocate()
        return self.base

    def clear(self) -> None:
        """Forgets the value: a body of bytes takes 32 times its size."""
        self.words: list[int] = []
        self._text_used = 0
        self._kept: list[object] = []

    def reserve(self, words: int) -> int:
        """Sets room aside; gives its index in `words`, to be filled before `encode` ends."""
        at = len(self.words)
        self.words.extend([0] * words)
        return at

    def place(self, words: Words) -> int:
        """Writes a value of its own; gives its address."""
        at = len(self.words)
        self.words.extend(words)
        return self.base + at * layout.WORD

    def text(self, encoded: bytes) -> int:
        """Copies text; gives its address."""
        start, end = self._text_used, self._text_used + len(encoded)
        if end > self._text_capacity:
            self._text_capacity = 2 * end
            raise _TextFullError
        self._text_memory[start:end] = encoded
        self._text_used = end
        return self._text_base + start

    def keep(self, memory: bytearray) -> int:
        """Holds memory that the value points into; gives its address."""
        view = (ctypes.c_char * len(memory)).from_buffer(memory)
        self._kept.append(view)
        return addressof(view)

    def _try_encode(self, encoded: tuple[tuple["Encoder", Value], ...]) -> bool:
        self.clear()
        self.reserve(layout.VALUE_WORDS * len(encoded))
        try:
            for index, (encode, value) in enumerate(encoded):
                at = index * layout.VALUE_WORDS
                self.words[at : at + layout.VALUE_WORDS] = encode(self, value)
        except _TextFullError:
            return False
        if len(self.words) > self._words_capacity:
            # Addresses were made for memory that is too small: they are made again.
            self._words_capacity = 2 * len(self.words)
            return False
        struct.pack_into(f"<{len(self.words)}Q", self._words_memory, 0, *self.words)
        return True

    def _allocate(self) -> None:
        self._words_memory = ctypes.create_string_buffer(self._words_capacity * layout.WORD)
        self.base = addressof(self._words_memory)
        self._text_memory = bytearray(self._text_capacity)
        self._text_view = (ctypes.c_char * self._text_capacity).from_buffer(self._text_memory)
        self._text_base = addressof(self._text_view)


Encoder: TypeAlias = Callable[[Arena, Value], Words]
"""Writes a value's parts into the arena; gives its own four words."""


class Names:
    """Names that outlive every call, so that no call copies them.

    An encoder must refer to this object itself: its memory lives no longer than that.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        encoded = [name.encode() for name in names]
        self._memory = ctypes.create_string_buffer(b"".join(encoded))
        self.place: dict[str, tuple[int, int]] = {}
        """Bytes and address of each."""
        address = addressof(self._memory)
        for name, data in zip(names, encoded, strict=True):
            self.place[name] = (len(data), address)
            address += len(data)

    def __str__(self) -> str:
        return ", ".join(self.place)
