"""Who may call what."""

from typing import Final

from shared.rpc.interceptors import Roles
from shared.tokens.service_token import ServiceRole

AUDIENCE: Final = "registry"

REGISTRY: Final = "extension.registry.v1.RegistryService"
INSTALLS: Final = "extension.registry.v1.InstallService"
STORAGE: Final = "extension.registry.v1.StorageService"
PUBLISHERS: Final = "extension.registry.v1.PublisherService"
SECRETS: Final = "extension.registry.v1.SecretsService"
EXECUTION_LOG: Final = "extension.registry.v1.ExecutionLogService"
SERVICES: Final = (REGISTRY, PUBLISHERS, INSTALLS, STORAGE, SECRETS, EXECUTION_LOG)

_OPERATOR: Final = frozenset({ServiceRole.OPERATOR})
_GATEWAY: Final = frozenset({ServiceRole.GATEWAY})
_RUNNER: Final = frozenset({ServiceRole.RUNNER})
_EVERYONE: Final = _OPERATOR | _GATEWAY | _RUNNER

_CATALOGUE_READS: Final = (
    "ListRegistryEntries", "GetRegistryEntry", "GetVersion", "ListVersions", "GetBundleStream",
    "GetBundleIndex", "GetManifestSchema", "GetSbom", "FindVersionsByComponent",
)  # fmt: skip

ROLES: Final[Roles] = {
    REGISTRY: _OPERATOR,
    **{f"/{REGISTRY}/{method}": _EVERYONE for method in _CATALOGUE_READS},
    PUBLISHERS: _OPERATOR,
    INSTALLS: _OPERATOR,
    f"/{INSTALLS}/ResolveInstall": _GATEWAY,
    f"/{INSTALLS}/WatchInstalls": _EVERYONE,
    STORAGE: _RUNNER,
    f"/{STORAGE}/ExportEntries": _OPERATOR,
    SECRETS: _OPERATOR,
    f"/{SECRETS}/GetSecret": _RUNNER,
    f"/{SECRETS}/ListSecretKeys": _RUNNER,
    f"/{EXECUTION_LOG}/RecordExecutions": _RUNNER,
    f"/{EXECUTION_LOG}/ListExecutions": _OPERATOR,
}
