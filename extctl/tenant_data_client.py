"""Talks to a stack's registry about what a tenant's installs keep: secrets and records."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from extctl.registry_calls import RegistryCalls, registry_calls
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock
from shared.errors import RegistryUnavailableError
from shared.identifiers import TenantId
from shared.pb.registry.v1 import install_service_pb2 as install_pb
from shared.pb.registry.v1 import install_service_pb2_grpc as install_grpc
from shared.pb.registry.v1 import secrets_service_pb2 as secrets_pb
from shared.pb.registry.v1 import secrets_service_pb2_grpc as secrets_grpc
from shared.pb.registry.v1 import storage_service_pb2 as storage_pb
from shared.pb.registry.v1 import storage_service_pb2_grpc as storage_grpc
from shared.rpc.status import to_error
from shared.secret import Secret

SERVICE: Final = "extension.registry.v1.SecretsService"
_EXPORT_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretInfo:
    """What may be told of a secret."""

    key: str
    version: int
    updated_at: str
    updated_by: str
    expires_at: str
    """Empty when it does not expire."""


class TenantDataClient:
    """One tenant's secrets and records; each method raises the `ExtensionError` it was told."""

    def __init__(self, calls: RegistryCalls, *, tenant_id: TenantId, actor: str = "") -> None:
        self._calls = calls
        self._secrets = secrets_grpc.SecretsServiceStub(calls.channel)
        self._storage = storage_grpc.StorageServiceStub(calls.channel)
        self._installs = install_grpc.InstallServiceStub(calls.channel)
        self._tenant_id = str(tenant_id)
        self._actor = actor

    async def set_secret(
        self, extension: str, key: str, value: Secret, *, expires_at: datetime | None
    ) -> SecretInfo:
        """Sets one secret."""
        secret = secrets_pb.SecretValue(key=key, value=value.reveal())
        if expires_at is not None:
            secret.expires_at.FromDatetime(expires_at)
        request = secrets_pb.SetSecretsRequest(
            tenant_id=self._tenant_id, extension=extension, secrets=[secret], actor=self._actor
        )
        (told,) = (await self._calls.call(self._secrets.SetSecrets, request)).secrets
        return _secret_info(told)

    async def delete_secret(self, extension: str, key: str) -> bool:
        """Removes a secret; whether there was one."""
        request = secrets_pb.DeleteSecretRequest(
            tenant_id=self._tenant_id, extension=extension, key=key, actor=self._actor
        )
        return (await self._calls.call(self._secrets.DeleteSecret, request)).changed

    async def list_secrets(self, extension: str) -> Sequence[SecretInfo]:
        """Names and dates, never values."""
        request = secrets_pb.ListSecretsRequest(tenant_id=self._tenant_id, extension=extension)
        told = await self._calls.call(self._secrets.ListSecrets, request)
        return [_secret_info(each) for each in told.secrets]

    async def export(self, extension: str) -> AsyncIterator[Mapping[str, object]]:
        """Every record of an install, as one JSON object each; values are in base64."""
        request = storage_pb.ExportEntriesRequest(tenant_id=self._tenant_id, extension=extension)
        try:
            async for portion in self._storage.ExportEntries(
                request, metadata=self._calls.metadata(), timeout=_EXPORT_SECONDS
            ):
                for entry in portion.entries:
                    yield {
                        "namespace": entry.namespace,
                        "key": entry.key,
                        "value": base64.b64encode(entry.value).decode(),
                        "revision": entry.revision,
                        "expires_at": _moment(entry, entry.expires_at),
                    }
        except grpc.RpcError as failed:
            raise to_error(failed, RegistryUnavailableError) from None

    async def uninstall(self, extension: str, *, keep_records: bool) -> bool:
        """Removes an install; whether anything was there."""
        policy = install_pb.DATA_POLICY_KEEP if keep_records else install_pb.DATA_POLICY_DELETE
        request = install_pb.UninstallRequest(
            tenant_id=self._tenant_id, extension=extension, data_policy=policy, actor=self._actor
        )
        return (await self._calls.call(self._installs.Uninstall, request)).changed


@asynccontextmanager
async def tenant_data_client(
    stack: Path, *, tenant_id: TenantId, actor: str = ""
) -> AsyncIterator[TenantDataClient]:
    """A client for the registry of the stack that runs in a directory.

    Raises:
        CommandError: there is no such stack, or its operator's key cannot be read.
    """
    running = read_stack_file(stack)
    async with registry_calls(running, service=SERVICE, clock=SystemClock()) as calls:
        yield TenantDataClient(calls, tenant_id=tenant_id, actor=actor)


def _secret_info(told: secrets_pb.SecretInfo) -> SecretInfo:
    return SecretInfo(
        key=told.key,
        version=told.version,
        updated_at=told.updated_at.ToJsonString(),
        updated_by=told.updated_by,
        expires_at=_moment(told, told.expires_at),
    )


def _moment(message: secrets_pb.SecretInfo | storage_pb.StorageEntry, moment: Timestamp) -> str:
    return moment.ToJsonString() if message.HasField("expires_at") else ""
