"""Guests' secrets, over the registry's RPC."""

from collections.abc import Awaitable, Sequence
from datetime import UTC
from typing import Final, TypeVar

import grpc
from grpc import aio

from runner_service.backends.secrets import OpenedSecret
from runner_service.invocation import Invocation
from shared.errors import RegistryUnavailableError
from shared.pb.registry.v1 import secrets_service_pb2 as pb
from shared.pb.registry.v1 import secrets_service_pb2_grpc as pb_grpc
from shared.rpc.metadata import Metadata, call_metadata
from shared.rpc.status import to_error
from shared.secret import Secret
from shared.tokens.service_token import ServiceTokenSource

SERVICE: Final = "extension.registry.v1.SecretsService"
REPEATABLE: Final = ("GetSecret", "ListSecretKeys")
_SECONDS: Final = 5.0

Answer = TypeVar("Answer")


class RegistrySecrets:
    """A `SecretsBackend` that asks the registry, and shows it the invocation's grant."""

    def __init__(self, *, channel: aio.Channel, tokens: ServiceTokenSource) -> None:
        self._stub = pb_grpc.SecretsServiceStub(channel)
        self._tokens = tokens

    async def get(self, invocation: Invocation, key: str) -> OpenedSecret:
        """Asks for a secret; see `SecretsBackend.get`."""
        request = pb.GetSecretRequest(key=key)
        answer = await _answered(
            self._stub.GetSecret(request, metadata=self._metadata(invocation), timeout=_SECONDS)
        )
        return OpenedSecret(Secret(answer.value), answer.cache_until.ToDatetime(UTC))

    async def list_keys(self, invocation: Invocation) -> Sequence[str]:
        """Asks for the names; see `SecretsBackend.list_keys`."""
        request = pb.ListSecretKeysRequest()
        answer = await _answered(
            self._stub.ListSecretKeys(
                request, metadata=self._metadata(invocation), timeout=_SECONDS
            )
        )
        return tuple(answer.keys)

    def _metadata(self, invocation: Invocation) -> Metadata:
        return call_metadata(
            token=self._tokens.token(),
            request_id=invocation.request.request_id or "",
            invocation_grant=invocation.grant_token,
        )


async def _answered(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except grpc.RpcError as error:
        raise to_error(error, RegistryUnavailableError) from None
