"""`wasi:config/store`: the install's own settings. Needs no right."""

import json
from typing import ClassVar, Final

from runner_service.abi.values import Case, Err, Ok, Value
from runner_service.backends.backends import Backends
from runner_service.capabilities.capability import Answers
from runner_service.invocation import Invocation

_UNREADABLE: Final = Err(Case("io", "the install's config is not a JSON object"))


class InstallConfig:
    """Gives each member of the install's config as text: strings as they are, others as JSON."""

    name = ""
    interface = "wasi:config/store@0.2.0-rc.1"
    denials: ClassVar[Answers] = {"get": _UNREADABLE, "get-all": _UNREADABLE}

    def __init__(self, _backends: Backends) -> None: ...

    def call(self, invocation: Invocation, function: str, arguments: tuple[Value, ...]) -> Value:
        """Answers `get` and `get-all`."""
        try:
            config = json.loads(invocation.config_json)
        except (ValueError, RecursionError):
            return _UNREADABLE
        if not isinstance(config, dict):
            return _UNREADABLE
        if function == "get":
            key = str(arguments[0])
            return Ok(_text(config[key]) if key in config else None)
        return Ok([(str(key), _text(value)) for key, value in config.items()])


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
