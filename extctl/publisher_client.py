"""Talks to a stack's registry about publishers: who owns them, and what they give each other."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from extctl.owner_key import OwnerKey
from extctl.registry_calls import RegistryCalls, registry_calls
from extctl.stack_file import StackFile
from shared.clock import Clock
from shared.errors import PublisherNotFoundError
from shared.pb.registry.v1 import publisher_service_pb2 as pb
from shared.pb.registry.v1 import publisher_service_pb2_grpc as pb_grpc
from shared.pb.registry.v1 import registry_service_pb2 as registry_pb
from shared.pb.registry.v1 import registry_service_pb2_grpc as registry_grpc
from shared.tokens.keys import PublicKey
from shared.tokens.publisher_proof import PublisherAction

SERVICE: Final = "extension.registry.v1.PublisherService"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An owner of a publisher."""

    key_id: str
    public_jwk: str
    added_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """A publisher with its owners, the oldest first."""

    publisher: str
    created_at: str
    owners: tuple[Owner, ...]


class PublisherClient:
    """PublisherService, in plain values."""

    def __init__(self, calls: RegistryCalls) -> None:
        self._calls = calls
        self._stub = pb_grpc.PublisherServiceStub(calls.channel)
        self._registry = registry_grpc.RegistryServiceStub(calls.channel)

    async def find(self, publisher: str) -> Publisher | None:
        """The publisher, or None."""
        request = pb.GetPublisherRequest(publisher=publisher)
        try:
            told = await self._calls.call(self._stub.GetPublisher, request)
        except PublisherNotFoundError:
            return None
        return _publisher(told.publisher)

    async def show(self, publisher: str) -> Publisher:
        """The publisher."""
        request = pb.GetPublisherRequest(publisher=publisher)
        return _publisher((await self._calls.call(self._stub.GetPublisher, request)).publisher)

    async def create(self, publisher: str, owner: OwnerKey, *, actor: str = "") -> Publisher:
        """Registers a publisher, owned by this key."""
        request = pb.CreatePublisherRequest(
            publisher=publisher, owner_jwk=json.dumps(owner.key.public_jwk()), actor=actor
        )
        return _publisher((await self._calls.call(self._stub.CreatePublisher, request)).publisher)

    async def add_owner(self, publisher: str, new: PublicKey, *, by: OwnerKey) -> Publisher:
        """Adds an owner."""
        proof = by.prove(publisher, PublisherAction.ADD_OWNER, new.key_id)
        request = pb.AddOwnerRequest(publisher=publisher, owner_jwk=new.jwk)
        told = await self._calls.call(self._stub.AddOwner, request, proof=proof)
        return _publisher(told.publisher)

    async def remove_owner(self, publisher: str, key_id: str, *, by: OwnerKey) -> Publisher:
        """Removes an owner."""
        proof = by.prove(publisher, PublisherAction.REMOVE_OWNER, key_id)
        request = pb.RemoveOwnerRequest(publisher=publisher, key_id=key_id)
        told = await self._calls.call(self._stub.RemoveOwner, request, proof=proof)
        return _publisher(told.publisher)

    async def offer(self, extension: str, to_publisher: str, *, by: OwnerKey) -> str:
        """Offers an extension; gives until when."""
        publisher, name = await self.named(extension)
        about = f"{publisher}.{name} {to_publisher}"
        proof = by.prove(publisher, PublisherAction.OFFER_TRANSFER, about)
        request = pb.OfferTransferRequest(extension=extension, to_publisher=to_publisher)
        told = await self._calls.call(self._stub.OfferTransfer, request, proof=proof)
        return told.expires_at.ToDatetime(tzinfo=UTC).isoformat()

    async def accept(self, extension: str, to_publisher: str, *, by: OwnerKey) -> str:
        """Takes an offer; gives the extension's new name."""
        publisher, name = await self.named(extension)
        proof = by.prove(to_publisher, PublisherAction.ACCEPT_TRANSFER, f"{publisher}.{name}")
        request = pb.AcceptTransferRequest(extension=extension, to_publisher=to_publisher)
        return (await self._calls.call(self._stub.AcceptTransfer, request, proof=proof)).extension

    async def named(self, extension: str) -> tuple[str, str]:
        """Publisher and name of an extension that may be named in other ways."""
        request = registry_pb.GetRegistryEntryRequest(extension=extension)
        entry = (await self._calls.call(self._registry.GetRegistryEntry, request)).entry
        return entry.publisher, entry.name


@asynccontextmanager
async def publisher_client(stack: StackFile, *, clock: Clock) -> AsyncIterator[PublisherClient]:
    """A client for the registry of `stack`.

    Raises:
        CommandError: the operator's key cannot be read.
    """
    async with registry_calls(stack, service=SERVICE, clock=clock) as calls:
        yield PublisherClient(calls)


def _publisher(told: pb.Publisher) -> Publisher:
    return Publisher(
        publisher=told.publisher,
        created_at=told.created_at.ToJsonString(),
        owners=tuple(
            Owner(
                key_id=owner.key_id,
                public_jwk=owner.public_jwk,
                added_at=owner.added_at.ToJsonString(),
            )
            for owner in told.owners
        ),
    )
