"""An install's config: a JSON object of the tenant's, handed to the guest as text."""

import json
from typing import Final

from registry_service.catalog.model import ExtensionVersion
from shared.bundles.config_schema import validate_config
from shared.bundles.manifest import MAX_MANIFEST_BYTES
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


def check_config(version: ExtensionVersion, config_json: str) -> None:
    """Checks a canonical config against the schema of the version's manifest, when it has one.

    Raises:
        ConfigInvalidError: the schema refuses it; the faults repeat nothing of the config.
    """
    manifest = parse_json(version.manifest_json.encode(), max_bytes=MAX_MANIFEST_BYTES)
    schema = manifest.get("config_schema") if isinstance(manifest, dict) else None
    if not isinstance(schema, dict):
        return
    config = parse_json(config_json.encode(), max_bytes=MAX_CONFIG_BYTES)
    if faults := validate_config(schema, config):
        raise ConfigInvalidError(
            f"Version {version.version} does not take this config: "
            f"{faults[0].path}: {faults[0].message}",
            faults=faults,
        )
