"""Settings: read once from the environment, frozen, and all faults told together.

Each process declares a subclass; every field's description is its documentation (and
`docs/settings.md` is generated from them). A field `database_url` of a class with the prefix
`REGISTRY_` is read from `REGISTRY_DATABASE_URL`; a field with an explicit `validation_alias` from
that variable.
"""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError


class SettingsInvalidError(Exception):
    """Settings that cannot be used; the message lists every fault with its variable."""


class Settings(BaseModel):
    """Base of every process's settings."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_by_alias=False,
        validate_by_name=True,
    )

    prefix: ClassVar[str] = ""

    @classmethod
    def variable_of(cls, field: str) -> str:
        """The environment variable that sets `field`."""
        alias = cls.model_fields[field].validation_alias
        return alias if isinstance(alias, str) else cls.prefix + field.upper()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Reads the variables that the fields name; an empty variable counts as absent.

        Raises:
            SettingsInvalidError: at least one is missing or wrong; the values are not repeated.
        """
        given = {}
        for field in cls.model_fields:
            if value := environment.get(cls.variable_of(field), ""):
                given[field] = value
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsInvalidError(cls._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        lines = []
        for fault in error.errors(include_input=False, include_url=False):
            if not fault["loc"]:  # a rule over several fields; its text names them
                lines.append(f"{fault['msg']}.")
                continue
            field = str(fault["loc"][0])
            variable = cls.variable_of(field)
            if fault["type"] == "missing":
                about = cls.model_fields[field].description or ""
                lines.append(f"{variable} is not set. {about}".rstrip())
            else:
                lines.append(f"{variable}: {fault['msg']}.")
        return "\n".join(lines)
