"""Every error that the platform tells anyone, in one table.

A class is a row: its reason is derived from its name (`InstallNotFoundError` is
`INSTALL_NOT_FOUND`), its docstring is the title that callers read, and its arguments are the gRPC
code and the HTTP status. `docs/errors.md` is generated from it.

What an instance says (`message`, `metadata`, `faults`) reaches callers: never put a secret, a
token or another tenant's data in it.
"""

from shared.extension_error import Code as Code
from shared.extension_error import ExtensionError as ExtensionError
from shared.extension_error import Fault as Fault

# --- identity -----------------------------------------------------------------------------------


class UnauthenticatedError(ExtensionError, code=Code.UNAUTHENTICATED, http=401):
    """The caller did not prove who it is."""


class ForbiddenError(ExtensionError, code=Code.PERMISSION_DENIED, http=403):
    """The caller may not do this."""


class TenantMismatchError(ExtensionError, code=Code.PERMISSION_DENIED, http=403):
    """The request names a tenant that is not the caller's."""


class InvocationGrantInvalidError(ExtensionError, code=Code.PERMISSION_DENIED, http=502):
    """The invocation grant is missing, expired or not the registry's own."""


class InvocationGrantRevokedError(ExtensionError, code=Code.FAILED_PRECONDITION, http=503):
    """The install or its version changed since the invocation grant was issued."""


class IdentityUnavailableError(ExtensionError, code=Code.UNAVAILABLE, http=503):
    """The keys that verify callers could not be fetched."""


# --- input --------------------------------------------------------------------------------------


class ArgumentInvalidError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """A field of the request is not what it must be."""


class PageTokenInvalidError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """The page token is not one that this listing gave."""


class PayloadTooLargeError(ExtensionError, code=Code.INVALID_ARGUMENT, http=413):
    """The body is larger than the limit."""


class RequestTimedOutError(ExtensionError, code=Code.DEADLINE_EXCEEDED, http=408):
    """The body did not arrive in time."""


class HeadersTooLargeError(ExtensionError, code=Code.INVALID_ARGUMENT, http=431):
    """The request line and headers are larger than the limit."""


class ManifestInvalidError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """The manifest has faults."""


class ConfigInvalidError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """The install's config is not a JSON object within its limits."""


class CapabilityNotRequestedError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """A capability was granted that the version does not ask for."""


# --- bundles and trust --------------------------------------------------------------------------


class BundleTooLargeError(ExtensionError, code=Code.INVALID_ARGUMENT, http=413):
    """The bundle is larger than the limit, packed or unpacked."""


class BundleInvalidError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """The archive is not a well-formed bundle.tar.zst."""


class ComponentInvalidError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """The bundle's program is not a component of the world that the platform runs."""


class BundleNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """No bundle with this content hash is stored."""


class ContentHashMismatchError(ExtensionError, code=Code.DATA_LOSS, http=502):
    """The bytes are not those that the content hash names."""


class BundleUntrustedError(ExtensionError, code=Code.FAILED_PRECONDITION, http=502):
    """The bundle's signature does not satisfy the signing policy."""


class BundleUnavailableError(ExtensionError, code=Code.UNAVAILABLE, http=503):
    """The bundle could not be fetched."""


class CompilerUnavailableError(ExtensionError, code=Code.UNAVAILABLE, http=503):
    """The component could not be compiled now."""


class BundleStoreUnavailableError(ExtensionError, code=Code.UNAVAILABLE, http=503):
    """The bundle store does not answer."""


class TrustBundleInvalidError(ExtensionError, code=Code.FAILED_PRECONDITION, http=500):
    """The trust bundle cannot be used."""


class SigningKeyInvalidError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """The signing key cannot be used."""


# --- catalogue and installs ---------------------------------------------------------------------


class RegistryEntryNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The catalogue has no such extension."""


class RegistryEntryExistsError(ExtensionError, code=Code.ALREADY_EXISTS, http=409):
    """The publisher has an extension of this name already."""


class VersionNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The extension has no such version."""


class ExtensionVersionAlreadyExistsError(ExtensionError, code=Code.ALREADY_EXISTS, http=409):
    """This version was published before; publish under a new one."""


class PublisherNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """No publisher of this name is registered."""


class PublisherExistsError(ExtensionError, code=Code.ALREADY_EXISTS, http=409):
    """The publisher's name is taken."""


class PublisherNotOwnedError(ExtensionError, code=Code.PERMISSION_DENIED, http=403):
    """The caller did not prove to own this publisher."""


class LastOwnerError(ExtensionError, code=Code.FAILED_PRECONDITION, http=409):
    """A publisher cannot lose its last owner."""


class TransferNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The extension was not offered to this publisher, or the offer is over."""


class VersionYankedError(ExtensionError, code=Code.FAILED_PRECONDITION, http=409):
    """This version was withdrawn by its publisher; choose another."""


class VersionQuarantinedError(ExtensionError, code=Code.FAILED_PRECONDITION, http=409):
    """This version was stopped by the platform's operators."""


class QuarantineNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """There is no such quarantine."""


class SbomNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The version has no software bill of materials."""


class ConsentRequiredError(ExtensionError, code=Code.FAILED_PRECONDITION, http=409):
    """The version asks for capabilities that the tenant did not grant yet."""


class PlanStaleError(ExtensionError, code=Code.ABORTED, http=409):
    """Something changed since the plan was made; make a new one."""


class RevisionNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The install has no such revision."""


class EgressRuleInvalidError(ExtensionError, code=Code.INVALID_ARGUMENT, http=400):
    """An egress rule is not one that can be allowed."""


class SecretNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The install has no such secret."""


class SecretExpiredError(ExtensionError, code=Code.FAILED_PRECONDITION, http=409):
    """The secret has expired."""


class SecretsUnavailableError(ExtensionError, code=Code.UNAVAILABLE, http=503):
    """The secrets' keys or vault cannot be used now."""


class InstallNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The tenant has no such install, or it is disabled."""


class InstallExistsError(ExtensionError, code=Code.ALREADY_EXISTS, http=409):
    """The tenant has this extension at another version; update it instead."""


# --- storage ------------------------------------------------------------------------------------


class CapabilityNotGrantedError(ExtensionError, code=Code.PERMISSION_DENIED, http=403):
    """The install was not granted this capability."""


class StorageEntryNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """There is no record under this key."""


class RevisionMismatchError(ExtensionError, code=Code.ABORTED, http=409):
    """The record's revision is not the expected one."""


class StorageLimitExceededError(ExtensionError, code=Code.RESOURCE_EXHAUSTED, http=429):
    """The install's storage limit is reached."""


# --- calls --------------------------------------------------------------------------------------


class ExtensionNotAvailableError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The tenant has no active install of this extension."""


class EndpointNotFoundError(ExtensionError, code=Code.NOT_FOUND, http=404):
    """The extension declares no such endpoint."""


class MethodNotAllowedError(ExtensionError, code=Code.UNIMPLEMENTED, http=405):
    """The extension declares this path with other methods only."""


class RunnerDrainingError(ExtensionError, code=Code.UNAVAILABLE, http=503):
    """The runner accepts no more calls."""


class RunnerSaturatedError(ExtensionError, code=Code.RESOURCE_EXHAUSTED, http=503):
    """The runner has no room for another call."""


class RunnerUnavailableError(ExtensionError, code=Code.UNAVAILABLE, http=503):
    """No runner could be reached."""


class RegistryUnavailableError(ExtensionError, code=Code.UNAVAILABLE, http=503):
    """The registry or its database does not answer."""


class DeadlineExceededError(ExtensionError, code=Code.DEADLINE_EXCEEDED, http=504):
    """The call took longer than its deadline."""


class InternalError(ExtensionError, code=Code.INTERNAL, http=500):
    """The platform failed; the request id finds the cause in its log."""


# --- guests: told in band (ExecuteResponse.failure), never as a gRPC error ----------------------


class GuestTrappedError(ExtensionError, code=Code.INTERNAL, http=502):
    """The extension crashed."""


class GuestOutOfMemoryError(ExtensionError, code=Code.INTERNAL, http=502):
    """The extension needed more memory than it may use."""


class GuestResponseInvalidError(ExtensionError, code=Code.INTERNAL, http=502):
    """The extension gave an answer that is no HTTP response."""


class GuestTimedOutError(ExtensionError, code=Code.INTERNAL, http=504):
    """The extension took longer than it may."""
