"""The component model's binary format, as far as the names of imports and exports need it.

After the 8 bytes of preamble a component is a row of sections: an id, a length, a body. Of the
bodies only 10 (imports) and 11 (exports) are read. Every length is checked against what is there
before anything is taken, and no number is longer than five bytes.
"""

from collections.abc import Callable
from typing import Final

from shared.bundles.layout import COMPONENT_PATH
from shared.errors import ComponentInvalidError

_PREAMBLE_BYTES: Final = 8
_IMPORTS: Final = 10
_EXPORTS: Final = 11
_LAST_SECTION: Final = 12  # values
_MAX_SECTIONS: Final = 100_000
_MAX_NAMES: Final = 10_000
_MAX_NAME_BYTES: Final = 512

_CORE_MODULE: Final = 0x00
_FUNCTION: Final = 0x01
_VALUE: Final = 0x02
_TYPE: Final = 0x03
_INSTANCE: Final = 0x05


def read_outline(data: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that a component imports and exports at its top level.

    An import that only equates a type is left out. Of the exports, only functions and instances
    are told: nothing else can be called.

    Args:
        data: a binary that begins with the preamble of a component.

    Raises:
        ComponentInvalidError: the binary is damaged, or of a form that no tool makes.
    """
    body = _Cursor(data, _PREAMBLE_BYTES, len(data))
    imports: list[str] = []
    exports: list[str] = []
    for _ in range(_MAX_SECTIONS):
        if body.at_end:
            return tuple(imports), tuple(exports)
        section = body.byte()
        if section > _LAST_SECTION:
            raise body.damaged(f"there is no section {section}")
        content = body.slice(body.u32())
        if section == _IMPORTS:
            imports += _names(content, _read_import)
        elif section == _EXPORTS:
            exports += _names(content, _read_export)
    raise body.damaged(f"it has more than {_MAX_SECTIONS} sections")


def _names(content: "_Cursor", read: Callable[["_Cursor"], str | None]) -> list[str]:
    count = content.u32()
    if count > _MAX_NAMES:
        raise content.damaged(f"a section has more than {_MAX_NAMES} names")
    names = [read(content) for _ in range(count)]
    content.expect_end()
    return [name for name in names if name is not None]


def _read_import(content: "_Cursor") -> str | None:
    name = content.name()
    return name if _skip_description(content) else None


def _read_export(content: "_Cursor") -> str | None:
    name = content.name()
    sort = content.byte()
    if sort == _CORE_MODULE:
        content.byte()
    content.u32()
    if content.byte():  # the export restates its type
        _skip_description(content)
    return name if sort in (_FUNCTION, _INSTANCE) else None


def _skip_description(content: "_Cursor") -> bool:
    """Goes past an `externdesc`; whether it is more than another name for a type."""
    sort = content.byte()
    if sort == _VALUE:
        raise content.damaged("it imports or exports a bare value")
    if sort > _INSTANCE:
        raise content.damaged(f"there is no kind {sort} of import or export")
    if sort == _TYPE:
        if content.byte():
            raise content.damaged("it imports or exports a resource type of its own")
        content.u32()
        return False
    if sort == _CORE_MODULE:
        content.byte()
    content.u32()
    return True


class _Cursor:
    """A position in the binary that cannot pass its end."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self._position = start
        self._end = end

    @property
    def at_end(self) -> bool:
        return self._position == self._end

    def damaged(self, why: str) -> ComponentInvalidError:
        return ComponentInvalidError(
            f"{COMPONENT_PATH} is damaged at byte {self._position}: {why}. Build it again."
        )

    def byte(self) -> int:
        if self.at_end:
            raise self.damaged("it ends too early")
        self._position += 1
        return self._data[self._position - 1]

    def u32(self) -> int:
        """An unsigned LEB128 number of at most 32 bits in at most five bytes."""
        number = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the bit that says "more follows"
                if number >> 32:
                    break
                return number
        raise self.damaged("a number is longer than 32 bits")

    def slice(self, size: int) -> "_Cursor":
        """A cursor over the next `size` bytes; this one goes on behind them."""
        if size > self._end - self._position:
            raise self.damaged("a length points past the end")
        start = self._position
        self._position += size
        return _Cursor(self._data, start, self._position)

    def name(self) -> str:
        """An import's or export's name, in either of the two encodings that tools write."""
        if self.byte() not in (0x00, 0x01):
            raise self.damaged("a name has an encoding that this platform does not read")
        size = self.u32()
        if size > _MAX_NAME_BYTES:
            raise self.damaged(f"a name is longer than {_MAX_NAME_BYTES} bytes")
        self.slice(size)
        try:
            return self._data[self._position - size : self._position].decode("utf-8")
        except UnicodeDecodeError:
            raise self.damaged("a name is not UTF-8") from None

    def expect_end(self) -> None:
        if not self.at_end:
            raise self.damaged("a section is longer than what is in it")
