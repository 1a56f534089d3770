"""Whether a tenant may have a version: what became of it, and whether it is trusted today."""

from collections.abc import Iterator

from registry_service.catalog.model import ExtensionVersion
from registry_service.catalog.signing import SignatureGate
from shared.errors import VersionQuarantinedError, VersionYankedError
from shared.identifiers import TenantId


class VersionGate:
    """Lets versions into installs."""

    def __init__(self, *, signatures: SignatureGate) -> None:
        self._signatures = signatures

    async def admit(
        self, tenant_id: TenantId, version: ExtensionVersion, *, had_before: bool
    ) -> list[str]:
        """Gives warnings about a version that the tenant may have.

        Args:
            tenant_id: for whom.
            version: which.
            had_before: whether the tenant had it already: a yanked version is only kept from
                those who did not.

        Raises:
            VersionQuarantinedError: operators stopped it.
            VersionYankedError: its publisher withdrew it.
            BundleUntrustedError: its signature does not satisfy the policy any more.
        """
        if version.quarantine is not None:
            raise VersionQuarantinedError(
                f"Version {version.version} was stopped by the platform's operators: "
                f"{version.quarantine.reason}"
            )
        if version.yank is not None and not had_before:
            raise VersionYankedError(
                f"Version {version.version} was withdrawn by its publisher: {version.yank.reason}"
            )
        return [*await self._signatures.judge_version(version, tenant_id), *_warnings(version)]


def _warnings(version: ExtensionVersion) -> Iterator[str]:
    if version.yank is not None:
        yield f"Version {version.version} was withdrawn by its publisher: {version.yank.reason}"
    if version.deprecation is not None:
        replacement = version.deprecation.replacement
        yield (
            f"Version {version.version} is deprecated: {version.deprecation.reason}"
            + (f" Use {replacement} instead." if replacement else "")
        )
