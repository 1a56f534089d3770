"""The files that the settings name: read and checked at start, all faults told together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from registry_service.secrets.keyring import KeyringFile
from registry_service.settings import RegistrySettings
from shared.bundles.fleet_artefact import ArtefactKey
from shared.clock import Clock
from shared.errors import TrustBundleInvalidError
from shared.settings import SettingsInvalidError
from shared.tokens.keys import SigningKey, VerifyingKey, load_key_set
from shared.trust.trust_bundle_file import TrustBundleFile

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class RegistryFiles:
    """What lies behind the paths."""

    grant_key: SigningKey
    service_keys: Mapping[str, VerifyingKey]
    trust_bundle: TrustBundleFile
    keyring: KeyringFile | None
    artefact_key: ArtefactKey | None

    @classmethod
    def read(cls, settings: RegistrySettings, clock: Clock) -> "RegistryFiles":
        """Reads all of them.

        Raises:
            SettingsInvalidError: with every file that cannot be used, by its variable.
        """
        faults: list[str] = []

        def read(field: str, path: Path, parse: Callable[[Path], Content]) -> Content | None:
            try:
                return parse(path)
            except OSError as error:
                why = f"{path} cannot be read: {error.strerror}."
            except TrustBundleInvalidError as error:
                why = error.message
            except ValueError as error:
                why = f"{path}: {error}."
            faults.append(f"{settings.variable_of(field)}: {why}")
            return None

        grant_key = read("grant_signing_key_file", settings.grant_signing_key_file, _signing_key)
        service_keys = read("service_keys_file", settings.service_keys_file, _key_set)
        trust_bundle = read(
            "signing_trust_bundle",
            settings.signing_trust_bundle,
            lambda path: TrustBundleFile(path=path, clock=clock),
        )
        keyring = None
        if (path := settings.secrets_keyring_file) is not None:
            keyring = read("secrets_keyring_file", path, partial(_keyring, clock=clock))
        artefact_key = None
        if (path := settings.artefact_key_file) is not None:
            artefact_key = read("artefact_key_file", path, ArtefactKey.from_file)
        if faults or grant_key is None or service_keys is None or trust_bundle is None:
            raise SettingsInvalidError("\n".join(faults))
        return cls(grant_key, service_keys, trust_bundle, keyring, artefact_key)


def _signing_key(path: Path) -> SigningKey:
    pem = path.read_bytes()
    try:
        return SigningKey.from_pem(pem)
    except (TypeError, ValueError):  # the library's own words may quote the file
        raise ValueError("it is not an unencrypted Ed25519 private key (PKCS#8 PEM)") from None


def _keyring(path: Path, *, clock: Clock) -> KeyringFile:
    return KeyringFile(path=path, clock=clock)


def _key_set(path: Path) -> Mapping[str, VerifyingKey]:
    return load_key_set(path.read_text())
