"""The files that a runner's settings name: read and checked at start, all faults told together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runner_service.bundle_cache.artefact_key import CacheDirectoryError, open_cache_directory
from runner_service.settings import RunnerSettings
from shared.bundles.fleet_artefact import ArtefactKey
from shared.clock import Clock
from shared.errors import TrustBundleInvalidError
from shared.settings import SettingsInvalidError
from shared.tokens.keys import SigningKey, VerifyingKey, load_key_set
from shared.trust.trust_bundle_file import TrustBundleFile

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class RunnerFiles:
    """What lies behind the paths."""

    service_key: SigningKey
    service_keys: Mapping[str, VerifyingKey]
    grant_keys: Mapping[str, VerifyingKey]
    trust_bundle: TrustBundleFile
    mac_key: bytes
    artefact_key: ArtefactKey | None

    @classmethod
    def read(cls, settings: RunnerSettings, clock: Clock) -> "RunnerFiles":
        """Reads all of them; makes the cache directory and its key when they are missing.

        Raises:
            SettingsInvalidError: with every file that cannot be used, by its variable.
        """
        read = _Reader()
        service_key = read("service_key_file", settings, _signing_key)
        service_keys = read("service_keys_file", settings, _key_set)
        grant_keys = read("grant_keys_file", settings, _key_set)
        trust_bundle = read(
            "signing_trust_bundle", settings, lambda path: TrustBundleFile(path=path, clock=clock)
        )
        mac_key = read("cache_dir", settings, open_cache_directory)
        artefact_key = (
            read("artefact_key_file", settings, ArtefactKey.from_file)
            if settings.artefact_key_file
            else None
        )
        if (
            service_key is None
            or service_keys is None
            or grant_keys is None
            or trust_bundle is None
            or mac_key is None
            or read.faults
        ):
            raise SettingsInvalidError("\n".join(read.faults))
        return cls(service_key, service_keys, grant_keys, trust_bundle, mac_key, artefact_key)


class _Reader:
    """Notes what went wrong and goes on."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def __call__(
        self, field: str, settings: RunnerSettings, parse: Callable[[Path], Content]
    ) -> Content | None:
        path: Path = getattr(settings, field)
        try:
            return parse(path)
        except OSError as error:
            why = f"{path} cannot be read: {error.strerror}."
        except TrustBundleInvalidError as error:
            why = error.message
        except (ValueError, CacheDirectoryError) as error:
            why = f"{path}: {error}"
        self.faults.append(f"{settings.variable_of(field)}: {why}")
        return None


def _signing_key(path: Path) -> SigningKey:
    pem = path.read_bytes()
    try:
        return SigningKey.from_pem(pem)
    except (TypeError, ValueError):  # the library's own words may quote the file
        raise ValueError("it is not an unencrypted Ed25519 private key (PKCS#8 PEM)") from None


def _key_set(path: Path) -> Mapping[str, VerifyingKey]:
    return load_key_set(path.read_text())
