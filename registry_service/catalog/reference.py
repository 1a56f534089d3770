"""How callers name an extension: by an id, or as `publisher.name`."""

import uuid
from dataclasses import dataclass

from shared.errors import ArgumentInvalidError
from shared.identifiers import parse_extension_name, parse_publisher, parse_uuid


@dataclass(frozen=True, slots=True)
class ExtensionReference:
    """A name that may or may not belong to something.

    Either `id` is set (a registry id or, where installs are meant, an install id), or `publisher`
    and `name` are. Text that is neither gives the reference that nothing has: what cannot exist
    is answered like what does not.
    """

    id: uuid.UUID | None = None
    publisher: str = ""
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "ExtensionReference":
        """Reads a UUID of any version, or `publisher.name` in any case."""
        try:
            return cls(id=parse_uuid(text, "extension"))
        except ArgumentInvalidError:
            pass
        publisher, _, name = text.lower().partition(".")
        try:
            return cls(publisher=parse_publisher(publisher), name=parse_extension_name(name))
        except ArgumentInvalidError:
            return cls()
