"""Messages of the catalogue, to and from the domain's words. No decisions."""

from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from registry_service.catalog.model import (
    CheckResult,
    Deprecation,
    Endpoint,
    ExtensionVersion,
    PublishCheck,
    RegistryEntry,
    Retraction,
    VersionStatus,
)
from shared.bundles.fetch import BundleFile
from shared.errors import ArgumentInvalidError
from shared.identifiers import TenantId, parse_uuid
from shared.pb.registry.v1 import registry_entry_pb2
from shared.pb.type.v1 import bundle_pb2, endpoint_pb2
from shared.trust.verification import SignatureVerification, VerificationResult

_RESULTS: Final = {
    VerificationResult.NOT_SIGNED: bundle_pb2.SignatureVerification.RESULT_NOT_SIGNED,
    VerificationResult.FAILED: bundle_pb2.SignatureVerification.RESULT_FAILED,
    VerificationResult.VERIFIED: bundle_pb2.SignatureVerification.RESULT_VERIFIED,
}
_CHECK_RESULTS: Final = {
    CheckResult.PASSED: registry_entry_pb2.PublishCheck.RESULT_PASSED,
    CheckResult.WARNED: registry_entry_pb2.PublishCheck.RESULT_WARNED,
    CheckResult.FAILED: registry_entry_pb2.PublishCheck.RESULT_FAILED,
}
VERSION_STATUSES: Final = {
    VersionStatus.PUBLISHED: registry_entry_pb2.ExtensionVersion.STATUS_PUBLISHED,
    VersionStatus.DEPRECATED: registry_entry_pb2.ExtensionVersion.STATUS_PUBLISHED,
    VersionStatus.YANKED: registry_entry_pb2.ExtensionVersion.STATUS_YANKED,
    VersionStatus.QUARANTINED: registry_entry_pb2.ExtensionVersion.STATUS_QUARANTINED,
}


def tenant_of(text: str) -> TenantId:
    """The tenant that a request names.

    Raises:
        ArgumentInvalidError: it is no UUID.
    """
    return TenantId(parse_uuid(text, "tenant_id"))


def timestamp_of(moment: datetime) -> Timestamp:
    """A moment, to the microsecond."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def entry_message(entry: RegistryEntry) -> registry_entry_pb2.RegistryEntry:
    """An entry."""
    return registry_entry_pb2.RegistryEntry(
        registry_id=str(entry.registry_id),
        publisher=entry.publisher,
        name=entry.name,
        display_name=entry.display_name,
        description=entry.description,
        latest_version=entry.latest_version,
        created_at=timestamp_of(entry.created_at),
        updated_at=timestamp_of(entry.updated_at),
    )


def version_status_of(status: int) -> VersionStatus | None:
    """The status that a filter names; None when it names none.

    Raises:
        ArgumentInvalidError: it is none that this registry knows.
    """
    if not status:
        return None
    for known, message in VERSION_STATUSES.items():
        if message == status:
            return known
    raise ArgumentInvalidError("The status is none that a version can have.", what="status")


def version_message(version: ExtensionVersion) -> registry_entry_pb2.ExtensionVersion:
    """A version."""
    return registry_entry_pb2.ExtensionVersion(
        version_id=str(version.version_id),
        registry_id=str(version.registry_id),
        version=version.version,
        runtime=version.runtime,
        content_hash=version.bundle.content_hash,
        size_bytes=version.bundle.size_bytes,
        endpoints=[endpoint_message(each) for each in version.endpoints],
        capabilities=version.capabilities,
        manifest_json=version.manifest_json,
        signature=_signature_message(version.bundle.signature),
        deprecation=_deprecation_message(version.deprecation) if version.deprecation else None,
        created_at=timestamp_of(version.created_at),
        status=VERSION_STATUSES[version.status],
        yank=_retraction_message(version.yank) if version.yank else None,
        quarantine=_retraction_message(version.quarantine) if version.quarantine else None,
        checks=[check_message(check) for check in version.checks],
        sbom_format=version.sbom_format,
    )


def endpoint_message(endpoint: Endpoint) -> endpoint_pb2.Endpoint:
    """An endpoint."""
    return endpoint_pb2.Endpoint(
        method=endpoint.method, path=endpoint.path, handler=endpoint.handler
    )


def bundle_file_message(file: BundleFile) -> bundle_pb2.BundleFile:
    """A file of a bundle."""
    return bundle_pb2.BundleFile(path=file.path, size_bytes=file.size_bytes, sha256=file.sha256)


def check_message(check: PublishCheck) -> registry_entry_pb2.PublishCheck:
    """One check of a publish."""
    return registry_entry_pb2.PublishCheck(
        name=check.name, result=_CHECK_RESULTS[check.result], detail=check.detail
    )


def _signature_message(signature: SignatureVerification) -> bundle_pb2.SignatureVerification:
    return bundle_pb2.SignatureVerification(
        result=_RESULTS[signature.result], detail=signature.detail, key_id=signature.key_id
    )


def _deprecation_message(deprecation: Deprecation) -> registry_entry_pb2.Deprecation:
    return registry_entry_pb2.Deprecation(
        reason=deprecation.reason,
        deprecated_at=timestamp_of(deprecation.deprecated_at),
        replacement=deprecation.replacement,
    )


def _retraction_message(retraction: Retraction) -> registry_entry_pb2.Retraction:
    return registry_entry_pb2.Retraction(
        reason=retraction.reason,
        retracted_at=timestamp_of(retraction.retracted_at),
        actor=retraction.actor,
    )
