"""Talks to a stack's registry as its operator.

The only part of extctl that knows the registry's wire: commands give and get plain values.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import grpc

from extctl.dev_stack.keys import load_signing_key
from extctl.install_records import install_of
from extctl.owner_key import OwnerKey
from extctl.publisher_client import PublisherClient
from extctl.records import Execution, Install, PublishedVersion, UploadedBundle
from extctl.registry_calls import RegistryCalls
from extctl.stack_file import StackFile
from shared.clock import Clock
from shared.errors import RegistryEntryNotFoundError, RegistryUnavailableError
from shared.identifiers import ContentHash, TenantId
from shared.pb.registry.v1 import execution_log_service_pb2 as log_pb
from shared.pb.registry.v1 import execution_log_service_pb2_grpc as log_grpc
from shared.pb.registry.v1 import install_service_pb2 as install_service_pb
from shared.pb.registry.v1 import install_service_pb2_grpc as install_grpc
from shared.pb.registry.v1 import registry_service_pb2 as registry_pb
from shared.pb.registry.v1 import registry_service_pb2_grpc as registry_grpc
from shared.pb.type.v1 import bundle_pb2
from shared.rpc.channel import open_channel
from shared.rpc.metadata import Metadata, call_metadata
from shared.rpc.status import to_error
from shared.tokens.publisher_proof import PublisherAction
from shared.tokens.service_token import ServiceTokenSource

AUDIENCE: Final = "registry"
CALL_SECONDS: Final = 30.0
PUBLISH_SECONDS: Final = 120.0
"""The registry compiles what it publishes."""
_CHUNK_BYTES: Final = 256 * 1024
_READS: Final = ("GetRegistryEntry", "ListRegistryEntries")

Answer = TypeVar("Answer")


class RegistryClient:
    """The registry's RPCs that commands need; each raises the `ExtensionError` that it was told."""

    def __init__(self, *, channel: grpc.aio.Channel, tokens: ServiceTokenSource) -> None:
        self.publishers = PublisherClient(RegistryCalls(channel=channel, tokens=tokens))
        self._tokens = tokens
        self._registry = registry_grpc.RegistryServiceStub(channel)
        self._installs = install_grpc.InstallServiceStub(channel)
        self._log = log_grpc.ExecutionLogServiceStub(channel)

    async def has_entry(self, extension: str) -> bool:
        """Whether the catalogue has the extension."""
        request = registry_pb.GetRegistryEntryRequest(extension=extension)
        try:
            await self._call(self._registry.GetRegistryEntry, request)
        except RegistryEntryNotFoundError:
            return False
        return True

    async def count_entries(self) -> int:
        """How many entries a page of one has: what only a working database can answer."""
        request = registry_pb.ListRegistryEntriesRequest(page_size=1)
        return len((await self._call(self._registry.ListRegistryEntries, request)).entries)

    async def create_entry(
        self,
        *,
        publisher: str,
        name: str,
        owner: OwnerKey,
        display_name: str = "",
        description: str = "",
    ) -> None:
        """Creates the registry entry, as this owner of the publisher."""
        request = registry_pb.CreateRegistryEntryRequest(
            publisher=publisher, name=name, display_name=display_name, description=description
        )
        proof = owner.prove(publisher, PublisherAction.CREATE_ENTRY, f"{publisher}.{name}")
        await self._call(self._registry.CreateRegistryEntry, request, proof=proof)

    async def upload(
        self, bundle: bytes, content_hash: ContentHash, *, sent: Callable[[int], None]
    ) -> UploadedBundle:
        """Uploads a bundle; `sent` is told the size of each part."""

        async def parts() -> AsyncIterator[registry_pb.UploadBundleRequest]:
            header = registry_pb.UploadBundleHeader(content_hash=content_hash)
            yield registry_pb.UploadBundleRequest(header=header)
            for start in range(0, len(bundle), _CHUNK_BYTES):
                chunk = bundle[start : start + _CHUNK_BYTES]
                yield registry_pb.UploadBundleRequest(chunk=chunk)
                sent(len(chunk))

        told = await self._call(self._registry.UploadBundle, parts())
        return UploadedBundle(
            content_hash=told.content_hash, size_bytes=told.size_bytes, created=told.created
        )

    async def add_version(
        self,
        publisher: str,
        name: str,
        content_hash: ContentHash,
        *,
        owner: OwnerKey,
        envelope: bytes,
    ) -> PublishedVersion:
        """Publishes an uploaded bundle; an empty envelope means that it is not signed."""
        request = registry_pb.AddVersionRequest(
            extension=f"{publisher}.{name}", content_hash=content_hash, signature_envelope=envelope
        )
        proof = owner.prove(publisher, PublisherAction.ADD_VERSION, content_hash)
        told = await self._call(
            self._registry.AddVersion, request, proof=proof, seconds=PUBLISH_SECONDS
        )
        return _published(told)

    async def install(
        self,
        tenant_id: TenantId,
        extension: str,
        *,
        version: str = "",
        capabilities: Sequence[str] | None = None,
        config_json: str | None = None,
    ) -> tuple[Install, Sequence[str]]:
        """Installs for a tenant, and gives the warnings.

        None grants what the version asks for, and keeps the config.
        """
        request = install_service_pb.InstallRequest(
            tenant_id=str(tenant_id), extension=extension, version=version,
            grant=_grant(capabilities), config_json=config_json,
        )  # fmt: skip
        told = await self._call(self._installs.Install, request)
        return install_of(told.install), tuple(told.warnings)

    async def executions(
        self,
        tenant_id: TenantId,
        *,
        extension: str = "",
        request_id: str = "",
        status: str = "",
        limit: int = 50,
    ) -> Sequence[Execution]:
        """A tenant's executions, newest first; `status` is ok, error, timeout or oom."""
        value = f"EXECUTION_STATUS_{status.upper() or 'UNSPECIFIED'}"
        request = log_pb.ListExecutionsRequest(
            tenant_id=str(tenant_id), extension=extension, request_id=request_id,
            status=log_pb.ExecutionStatus.Value(value), page_size=limit,
        )  # fmt: skip
        told = await self._call(self._log.ListExecutions, request)
        return [_execution(execution) for execution in told.executions]

    async def _call(
        self,
        method: Callable[..., Awaitable[Answer]],
        request: object,
        *,
        proof: str = "",
        seconds: float = CALL_SECONDS,
    ) -> Answer:
        try:
            return await method(request, metadata=self._metadata(proof), timeout=seconds)
        except grpc.RpcError as failed:
            raise to_error(failed, RegistryUnavailableError) from None

    def _metadata(self, proof: str) -> Metadata:
        return call_metadata(token=self._tokens.token(), publisher_proof=proof)


@asynccontextmanager
async def registry_client(stack: StackFile, *, clock: Clock) -> AsyncIterator[RegistryClient]:
    """A client for the registry of `stack`.

    Raises:
        CommandError: the operator's key cannot be read.
    """
    key = load_signing_key(stack.operator_key_file)
    tokens = ServiceTokenSource(key=key, audience=AUDIENCE, clock=clock)
    service = "extension.registry.v1.RegistryService"
    async with open_channel(stack.registry_target, service=service, repeatable=_READS) as channel:
        yield RegistryClient(channel=channel, tokens=tokens)


def _grant(capabilities: Sequence[str] | None) -> install_service_pb.CapabilityGrant | None:
    if capabilities is None:
        return None
    return install_service_pb.CapabilityGrant(capabilities=capabilities)


def _published(told: registry_pb.AddVersionResponse) -> PublishedVersion:
    version = told.version
    result = bundle_pb2.SignatureVerification.Result.Name(version.signature.result)
    return PublishedVersion(
        registry_id=version.registry_id,
        version_id=version.version_id,
        version=version.version,
        content_hash=version.content_hash,
        size_bytes=version.size_bytes,
        capabilities=tuple(version.capabilities),
        endpoints=tuple(f"{endpoint.method} {endpoint.path}" for endpoint in version.endpoints),
        signature=result.removeprefix("RESULT_").lower(),
        signature_detail=version.signature.detail,
        warnings=tuple(told.warnings),
    )


def _execution(told: log_pb.Execution) -> Execution:
    status = log_pb.ExecutionStatus.Name(told.status)
    level = log_pb.LogLine.Level.Name
    return Execution(
        execution_id=told.execution_id,
        request_id=told.request_id,
        started_at=told.started_at.ToJsonString(),
        status=status.removeprefix("EXECUTION_STATUS_").lower(),
        error=told.error,
        method=told.method,
        path=told.path,
        http_status=told.metrics.http_status,
        duration_us=told.metrics.duration_us,
        guest_us=told.metrics.guest_us,
        host_calls=told.metrics.host_calls,
        denied_host_calls=told.metrics.denied_host_calls,
        cold_start=told.metrics.cold_start,
        peak_memory_bytes=told.metrics.peak_memory_bytes,
        runner_id=told.runner_id,
        install_id=told.install_id,
        content_hash=told.content_hash,
        log_lines=tuple(
            f"{level(line.level).removeprefix('LEVEL_').lower()}: {line.message}"
            for line in told.log_lines
        ),
    )
