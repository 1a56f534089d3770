"""Reads a component's imports and exports into the descriptors of `runner_service.abi`.

Only what the type check looks into is read in depth, and no more of it than a budget: a few
hundred bytes of component can name a type that unfolds to a million parts.
"""

from collections.abc import Mapping
from typing import Final

from wasmtime import Engine, component

from runner_service.abi.type_check import ComponentShape, InterfaceShape, Item
from runner_service.abi.types import (
    EnumType,
    FunctionType,
    ListType,
    OpaqueType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)
from runner_service.abi.world import HANDLER_NAME, IMPORTS
from shared.errors import ComponentInvalidError

MAX_TYPE_PARTS: Final = 20_000  # the whole world has less than a thousand

_PRIMITIVES: Mapping[type, Primitive] = {
    component.Bool: Primitive.BOOL,
    component.S8: Primitive.S8,
    component.U8: Primitive.U8,
    component.S16: Primitive.S16,
    component.U16: Primitive.U16,
    component.S32: Primitive.S32,
    component.U32: Primitive.U32,
    component.S64: Primitive.S64,
    component.U64: Primitive.U64,
    component.F32: Primitive.F32,
    component.F64: Primitive.F64,
    component.Char: Primitive.CHAR,
    component.String: Primitive.STRING,
}


def reflect(engine: Engine, of: component.Component) -> ComponentShape:
    """Describes what a component imports and exports.

    Raises:
        ComponentInvalidError: its types are larger than any that could fit the world.
    """
    reading = _Reading(engine)
    with of.type as component_type:
        imports = component_type.imports(engine)
        exports = component_type.exports(engine)
        return ComponentShape(
            imports={
                name: reading.item(extern.ty, deep=name.startswith("alga:") or name in IMPORTS)
                for name, extern in imports.items()
            },
            exports={
                name: reading.item(extern.ty, deep=name == HANDLER_NAME)
                for name, extern in exports.items()
            },
        )


class _Reading:
    """One component's reading: counts the parts of types that it went through."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._left = MAX_TYPE_PARTS

    def item(self, item: object, *, deep: bool) -> Item:
        match item:
            case component.ComponentInstanceType():
                return self._interface(item) if deep else InterfaceShape({}, {})
            case component.FuncType():
                return self._function(item) if deep else FunctionType()
            case component.ValType():
                return self._type(item) if deep else OpaqueType("type")
            case _:
                return OpaqueType(_name(item))

    def _interface(self, of: component.ComponentInstanceType) -> InterfaceShape:
        functions: dict[str, FunctionType] = {}
        others: dict[str, str] = {}
        for name, extern in of.exports(self._engine).items():
            match extern.ty:
                case component.FuncType() as function:
                    functions[name] = self._function(function)
                case component.ValType():
                    pass  # a name for a shape: it is compared wherever it is used
                case other:
                    others[name] = _name(other)
        return InterfaceShape(functions, others)

    def _function(self, of: component.FuncType) -> FunctionType:
        return FunctionType(
            tuple(self._type(parameter) for _, parameter in of.params),
            None if of.result is None else self._type(of.result),
        )

    def _type(self, of: component.ValType) -> Type:  # noqa: PLR0911 - one arm for each type
        self._left -= 1
        if self._left < 0:
            raise ComponentInvalidError(
                f"the component's types have more than {MAX_TYPE_PARTS} parts"
            )
        match of:
            case component.ListType():
                return ListType(self._type(of.element))
            case component.RecordType():
                return RecordType(tuple((name, self._type(part)) for name, part in of.fields))
            case component.TupleType():
                return TupleType(tuple(map(self._type, of.elements)))
            case component.VariantType():
                return VariantType(tuple((name, self._maybe(part)) for name, part in of.cases))
            case component.EnumType():
                return EnumType(tuple(of.names))
            case component.OptionType():
                return OptionType(self._type(of.payload))
            case component.ResultType():
                return ResultType(self._maybe(of.ok), self._maybe(of.err))
        return _PRIMITIVES.get(type(of)) or OpaqueType(_name(of))

    def _maybe(self, of: component.ValType | None) -> Type | None:
        return None if of is None else self._type(of)


def _name(item: object) -> str:
    return type(item).__name__.removesuffix("Type").lower()
