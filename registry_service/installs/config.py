"""An install's config: a JSON object of the tenant's, handed to the guest as text."""

import json
from typing import Final

from shared.errors import ConfigInvalidError
from shared.strict_json import JsonInvalidError, parse_json

MAX_CONFIG_BYTES: Final = 64 * 1024


def canonical_config(text: str) -> str:
    """The one text of a config: keys sorted, no blanks.

    Raises:
        ConfigInvalidError: it is not a JSON object, or larger than 64 KiB. The message repeats
            nothing of it: a config may hold what is nobody else's business.
    """
    try:
        value = parse_json(text.encode(), max_bytes=MAX_CONFIG_BYTES)
    except JsonInvalidError as error:
        raise ConfigInvalidError(
            f"The config is not JSON as this platform reads it ({error.code})."
        ) from None
    if not isinstance(value, dict):
        raise ConfigInvalidError('The config must be a JSON object, such as {"currency": "EUR"}.')
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if len(canonical.encode()) > MAX_CONFIG_BYTES:
        raise ConfigInvalidError(f"The config is larger than {MAX_CONFIG_BYTES} bytes.")
    return canonical
