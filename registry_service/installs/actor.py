"""Who asked for a change, as the history tells it."""

from registry_service.catalog.readable_text import MAX_LABEL, readable


def parse_actor(text: str) -> str:
    """The name of a person or a program: printable, bounded, and empty when it was not given.

    Raises:
        ArgumentInvalidError: it is anything else.
    """
    return readable(text, "actor", MAX_LABEL)
