"""How commands call the registry as its operator; what it answers with is the clients' matter."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import grpc

from extctl.dev_stack.keys import load_signing_key
from extctl.stack_file import StackFile
from shared.clock import Clock
from shared.errors import RegistryUnavailableError
from shared.rpc.channel import open_channel
from shared.rpc.metadata import Metadata, call_metadata
from shared.rpc.status import to_error
from shared.tokens.service_token import ServiceTokenSource

AUDIENCE: Final = "registry"
CALL_SECONDS: Final = 30.0

Answer = TypeVar("Answer")


class RegistryCalls:
    """A channel to the registry, and tokens that say who calls."""

    def __init__(self, *, channel: grpc.aio.Channel, tokens: ServiceTokenSource) -> None:
        self.channel = channel
        self.tokens = tokens

    async def call(
        self, method: Callable[..., Awaitable[Answer]], request: object, *, proof: str = ""
    ) -> Answer:
        """Calls a method.

        Args:
            method: of a stub over `channel`.
            request: what it takes.
            proof: a publisher proof, where the method wants one.

        Raises:
            ExtensionError: what the registry told; RegistryUnavailableError when it is away.
        """
        try:
            return await method(request, metadata=self.metadata(proof), timeout=CALL_SECONDS)
        except grpc.RpcError as failed:
            raise to_error(failed, RegistryUnavailableError) from None

    def metadata(self, proof: str = "") -> Metadata:
        """What says who calls."""
        return call_metadata(token=self.tokens.token(), publisher_proof=proof)


@asynccontextmanager
async def registry_calls(
    stack: StackFile, *, service: str, clock: Clock
) -> AsyncIterator[RegistryCalls]:
    """Calls to a service of the registry of `stack`.

    Raises:
        CommandError: the operator's key cannot be read.
    """
    key = load_signing_key(stack.operator_key_file)
    tokens = ServiceTokenSource(key=key, audience=AUDIENCE, clock=clock)
    async with open_channel(stack.registry_target, service=service) as channel:
        yield RegistryCalls(channel=channel, tokens=tokens)
