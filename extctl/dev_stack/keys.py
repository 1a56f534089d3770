"""The keys of a stack on one machine: made once, each in a file that only its owner may read.

Every process has a service key of its own; the key sets say which role each has. Nothing here is
meant for production, where keys come from a secret store.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from extctl.failures import CommandError
from extctl.files import (
    create_private_file,
    make_private_directory,
    replace_private_file,
)
from shared.bundles.fleet_artefact import KEY_BYTES as ARTEFACT_KEY_BYTES
from shared.tokens.invocation_grant import ROLE as GRANT_ROLE
from shared.tokens.keys import SigningKey
from shared.tokens.service_token import ServiceRole


@dataclass(frozen=True, slots=True, kw_only=True)
class StackKeys:
    """Where each key is."""

    gateway: Path
    operator: Path
    runners: tuple[Path, ...]
    service_key_set: Path
    """JWKS: the public half of each service key, with its role."""
    grant: Path
    grant_key_set: Path
    token_issuer: Path
    token_key_set: Path
    artefact: Path
    """What the registry seals compiled code with, and the runners check."""
    secrets_keyring: Path
    """What the registry seals secrets with."""


def make_keys(directory: Path, *, runners: int) -> StackKeys:
    """Makes the keys that are missing, and the key sets anew.

    Raises:
        CommandError: a key file is there and is no Ed25519 key.
    """
    make_private_directory(directory)
    keys = StackKeys(
        gateway=directory / "gateway.pem",
        operator=directory / "operator.pem",
        runners=tuple(directory / f"runner-{number}.pem" for number in range(1, runners + 1)),
        service_key_set=directory / "service_keys.json",
        grant=directory / "grant.pem",
        grant_key_set=directory / "grant_keys.json",
        token_issuer=directory / "token_issuer.pem",
        token_key_set=directory / "token_keys.json",
        artefact=directory / "artefact.key",
        secrets_keyring=directory / "secrets_keyring.json",
    )
    services = {
        keys.gateway: ServiceRole.GATEWAY,
        keys.operator: ServiceRole.OPERATOR,
        **dict.fromkeys(keys.runners, ServiceRole.RUNNER),
    }
    _write_key_set(keys.service_key_set, {path: str(role) for path, role in services.items()})
    _write_key_set(keys.grant_key_set, {keys.grant: GRANT_ROLE})
    _write_key_set(keys.token_key_set, {keys.token_issuer: ""})
    if not keys.artefact.exists():
        create_private_file(keys.artefact, os.urandom(ARTEFACT_KEY_BYTES))
    if not keys.secrets_keyring.exists():
        create_private_file(keys.secrets_keyring, new_keyring())
    return keys


def new_keyring() -> bytes:
    """A keyring file with one key."""
    key = {"id": "1", "key": base64.b64encode(os.urandom(32)).decode()}
    return json.dumps({"keys": [key]}, indent=2).encode() + b"\n"


def load_signing_key(path: Path) -> SigningKey:
    """Reads a key that `make_keys` made.

    Raises:
        CommandError: it is missing, or no Ed25519 private key.
    """
    try:
        return SigningKey.from_pem(path.read_bytes())
    except OSError as error:
        raise CommandError(f"The key {path} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError):
        raise CommandError(
            f"{path} is no unencrypted Ed25519 private key.",
            hint="Remove the file: `extctl up` makes a new one when it starts.",
        ) from None


def _write_key_set(path: Path, roles: Mapping[Path, str]) -> None:
    members = []
    for key_path, role in roles.items():
        key = _signing_key(key_path)
        members.append(key.public_jwk(role=role) if role else key.public_jwk())
    replace_private_file(path, json.dumps({"keys": members}, indent=2).encode() + b"\n")


def _signing_key(path: Path) -> SigningKey:
    if not path.exists():
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        create_private_file(path, pem)
    return load_signing_key(path)
