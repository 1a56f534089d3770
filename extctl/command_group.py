"""Commands that share a first word, such as `extctl trust list`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import typer


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """The first word, what the group is about, and its commands by their second word."""

    name: str
    help: str
    commands: Mapping[str, Callable[..., None]]

    def build(self) -> typer.Typer:
        """The group, as something that an application can have."""
        group = typer.Typer(name=self.name, help=self.help, no_args_is_help=True)
        for name, command in self.commands.items():
            group.command(name)(command)
        return group
