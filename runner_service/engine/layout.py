"""How wasmtime lays values out in memory: what the encoder writes and the decoder reads.

A value is four 8-byte words, `(kind, a, b, c)`; only the low bits that its type needs are defined.

| kind | a | b | c |
|---|---|---|---|
| bool, integers, floats | the number | | |
| string, enum | bytes | address | |
| list, tuple | count | address of values | |
| record | count | address of entries: 6 words each, name (bytes, address) and value | |
| option | address of value, or 0 | | |
| result | 1 if ok | address of value, or 0 | |
| variant | bytes of the case's name | its address | address of value, or 0 |
"""

from typing import Final, TypeAlias

from runner_service.abi.types import Primitive

Words: TypeAlias = tuple[int, int, int, int]

BOOL: Final = 0
STRING: Final = 12
LIST: Final = 13
RECORD: Final = 14
TUPLE: Final = 15
VARIANT: Final = 16
ENUM: Final = 17
OPTION: Final = 18
RESULT: Final = 19

F64: Final = 10
UNSIGNED: Final = {
    Primitive.U8: (2, 8),
    Primitive.U16: (4, 16),
    Primitive.U32: (6, 32),
    Primitive.U64: (8, 64),
}
"""Kind and width in bits of the integers that the world has."""
U8: Final = 2

WORD: Final = 8
VALUE_WORDS: Final = 4
ENTRY_WORDS: Final = 6

U8_PATTERN: Final = bytes([U8]) + bytes(31)
"""A `u8` value of 0; its number stands at offset 8."""
