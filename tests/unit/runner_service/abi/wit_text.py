"""Reads the little of WIT that the guest's world uses, so that a test can compare it with code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner_service.abi.types import (
    EnumType,
    FunctionType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)

_TOKEN = re.compile(r"//[^\n]*|\s+|(->|[{}()<>:;,=*./@]|%?[A-Za-z_][A-Za-z0-9-]*|[0-9][^\s;{]*)")


@dataclass
class Package:
    interfaces: dict[str, dict[str, FunctionType]] = field(default_factory=dict)
    exports: dict[str, FunctionType] = field(default_factory=dict)
    imports: dict[str, list[str]] = field(default_factory=dict)
    includes: dict[str, list[str]] = field(default_factory=dict)


class WitReader:
    """Reads files of one package; types of `interface types` must be read before their users."""

    def __init__(self) -> None:
        self.package = Package()
        self._types: dict[str, Type] = {}
        self._tokens: list[str] = []

    def read(self, path: Path) -> None:
        text = path.read_text()
        self._tokens = [m.group(1) for m in _TOKEN.finditer(text) if m.group(1)]
        assert sum(len(m.group()) for m in _TOKEN.finditer(text)) == len(text), "unread text"
        while self._tokens:
            match self._next():
                case "package":
                    self._skip_statement()
                case "interface":
                    name = self._next()
                    self.package.interfaces[name] = dict(self._interface())
                case "world":
                    self._world()
                case other:
                    raise AssertionError(f"unknown statement {other}")

    def _interface(self) -> Iterator[tuple[str, FunctionType]]:
        self._expect("{")
        while not self._took("}"):
            match self._next():
                case "use":
                    self._skip_statement()
                case "record":
                    name, parts = self._next(), self._fields()
                    self._types[name] = RecordType(
                        tuple((part, of) for part, of in parts if of is not None)
                    )
                case "enum":
                    name, parts = self._next(), self._fields()
                    self._types[name] = EnumType(tuple(part for part, _ in parts))
                case "variant":
                    name, parts = self._next(), self._fields()
                    self._types[name] = VariantType(tuple(parts))
                case name:
                    self._expect(":")
                    yield name, self._function()

    def _world(self) -> None:
        world = self._next()
        self._expect("{")
        while not self._took("}"):
            match self._next():
                case "use":
                    self._skip_statement()
                case "import":
                    self.package.imports.setdefault(world, []).append(self._statement())
                case "include":
                    self.package.includes.setdefault(world, []).append(self._statement())
                case "export":
                    name = self._next()
                    self._expect(":")
                    self.package.exports[name] = self._function()
                case other:
                    raise AssertionError(f"unknown item {other}")

    def _fields(self) -> list[tuple[str, Type | None]]:
        self._expect("{")
        parts: list[tuple[str, Type | None]] = []
        while not self._took("}"):
            name = self._next()
            of: Type | None = None
            if self._took(":"):
                of = self._type()
            elif self._took("("):
                of = self._type()
                self._expect(")")
            parts.append((name, of))
            self._took(",")
        return parts

    def _function(self) -> FunctionType:
        self._expect("func")
        self._expect("(")
        parameters = []
        while not self._took(")"):
            self._next()
            self._expect(":")
            parameters.append(self._type())
            self._took(",")
        result = self._type() if self._took("->") else None
        self._expect(";")
        return FunctionType(tuple(parameters), result)

    def _type(self) -> Type:
        name = self._next()
        if name not in {"list", "option", "result", "tuple"}:
            return self._types[name] if name in self._types else Primitive(name)
        self._expect("<")
        parts: list[Type | None] = []
        while not self._took(">"):
            parts.append(None if self._took("_") else self._type())
            self._took(",")
        given = [part for part in parts if part is not None]
        match name:
            case "list":
                return ListType(given[0])
            case "option":
                return OptionType(given[0])
            case "tuple":
                return TupleType(tuple(given))
        return ResultType(*parts)

    def _next(self) -> str:
        return self._tokens.pop(0)

    def _took(self, token: str) -> bool:
        if self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        found = self._next()
        assert found == token, f"{found} stands where {token} should, before {self._tokens[:5]}"

    def _statement(self) -> str:
        parts = []
        while not self._took(";"):
            parts.append(self._next())
        return "".join(parts)

    def _skip_statement(self) -> None:
        while self._next() != ";":
            pass
