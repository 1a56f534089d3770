"""SecretsService on the wire."""

from datetime import UTC, datetime
from typing import Any, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from registry_service.catalog.reference import ExtensionReference
from registry_service.rpc.conversion import tenant_of, timestamp_of
from registry_service.secrets.model import SecretInfo, SecretWrite
from registry_service.secrets.secrets import Secrets
from shared.errors import ArgumentInvalidError
from shared.pb.registry.v1 import secrets_service_pb2 as pb
from shared.pb.registry.v1 import secrets_service_pb2_grpc as pb_grpc
from shared.rpc.metadata import INVOCATION_GRANT, value_of
from shared.secret import Secret
from shared.tokens.invocation_grant import InvocationGrant, InvocationGrantVerifier

Context: TypeAlias = aio.ServicerContext[Any, Any]


class SecretsServicer(pb_grpc.SecretsServiceServicer):
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(self, *, secrets: Secrets, grants: InvocationGrantVerifier) -> None:
        self._secrets = secrets
        self._grants = grants

    async def SetSecrets(
        self, request: pb.SetSecretsRequest, context: Context
    ) -> pb.SetSecretsResponse:
        """Sets secrets of an install."""
        written = await self._secrets.set_secrets(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            [
                SecretWrite(
                    key=each.key,
                    value=Secret(each.value),
                    expires_at=_moment(each.expires_at) if each.HasField("expires_at") else None,
                )
                for each in request.secrets
            ],
            actor=request.actor,
        )
        return pb.SetSecretsResponse(secrets=[_message(each) for each in written])

    async def DeleteSecret(
        self, request: pb.DeleteSecretRequest, context: Context
    ) -> pb.DeleteSecretResponse:
        """Removes a secret."""
        changed = await self._secrets.delete(
            tenant_of(request.tenant_id),
            ExtensionReference.parse(request.extension),
            request.key,
        )
        return pb.DeleteSecretResponse(changed=changed)

    async def ListSecrets(
        self, request: pb.ListSecretsRequest, context: Context
    ) -> pb.ListSecretsResponse:
        """Lists names and dates."""
        found = await self._secrets.list_secrets(
            tenant_of(request.tenant_id), ExtensionReference.parse(request.extension)
        )
        return pb.ListSecretsResponse(secrets=[_message(each) for each in found])

    async def GetSecret(
        self, request: pb.GetSecretRequest, context: Context
    ) -> pb.GetSecretResponse:
        """Opens a secret for a guest."""
        secret, cache_until = await self._secrets.get(self._grant(context), request.key)
        return pb.GetSecretResponse(value=secret.reveal(), cache_until=timestamp_of(cache_until))

    async def ListSecretKeys(
        self, request: pb.ListSecretKeysRequest, context: Context
    ) -> pb.ListSecretKeysResponse:
        """Lists names for a guest."""
        return pb.ListSecretKeysResponse(keys=await self._secrets.list_keys(self._grant(context)))

    def _grant(self, context: Context) -> InvocationGrant:
        return self._grants.verify(value_of(context.invocation_metadata(), INVOCATION_GRANT))


def _moment(timestamp: Timestamp) -> datetime:
    try:
        return timestamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise ArgumentInvalidError("expires_at is no moment.", what="expires_at") from None


def _message(secret: SecretInfo) -> pb.SecretInfo:
    return pb.SecretInfo(
        key=secret.key,
        version=secret.version,
        updated_at=timestamp_of(secret.updated_at),
        expires_at=timestamp_of(secret.expires_at) if secret.expires_at else None,
        updated_by=secret.updated_by,
    )
