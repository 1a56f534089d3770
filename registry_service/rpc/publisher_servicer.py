"""PublisherService on the wire."""

from typing import Any, TypeAlias

from grpc import aio

from registry_service.catalog.reference import ExtensionReference
from registry_service.catalog.transfers import Transfers
from registry_service.publishers.model import Publisher
from registry_service.publishers.publishers import Publishers
from registry_service.rpc.conversion import timestamp_of
from registry_service.rpc.life_cycle_servicer import proof_of
from shared.pb.registry.v1 import publisher_service_pb2 as pb
from shared.pb.registry.v1 import publisher_service_pb2_grpc as pb_grpc

Context: TypeAlias = aio.ServicerContext[Any, Any]


class PublisherServicer(pb_grpc.PublisherServiceServicer):
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(self, *, publishers: Publishers, transfers: Transfers) -> None:
        self._publishers = publishers
        self._transfers = transfers

    async def CreatePublisher(
        self, request: pb.CreatePublisherRequest, context: Context
    ) -> pb.CreatePublisherResponse:
        """Registers a publisher."""
        made = await self._publishers.create(
            request.publisher, request.owner_jwk, actor=request.actor
        )
        return pb.CreatePublisherResponse(publisher=_publisher_message(made))

    async def GetPublisher(
        self, request: pb.GetPublisherRequest, context: Context
    ) -> pb.GetPublisherResponse:
        """Finds a publisher."""
        found = await self._publishers.find(request.publisher)
        return pb.GetPublisherResponse(publisher=_publisher_message(found))

    async def AddOwner(self, request: pb.AddOwnerRequest, context: Context) -> pb.AddOwnerResponse:
        """Adds an owner."""
        changed = await self._publishers.add_owner(
            request.publisher, request.owner_jwk, proof=proof_of(context)
        )
        return pb.AddOwnerResponse(publisher=_publisher_message(changed))

    async def RemoveOwner(
        self, request: pb.RemoveOwnerRequest, context: Context
    ) -> pb.RemoveOwnerResponse:
        """Removes an owner."""
        changed = await self._publishers.remove_owner(
            request.publisher, request.key_id, proof=proof_of(context)
        )
        return pb.RemoveOwnerResponse(publisher=_publisher_message(changed))

    async def OfferTransfer(
        self, request: pb.OfferTransferRequest, context: Context
    ) -> pb.OfferTransferResponse:
        """Offers an extension to another publisher."""
        expires_at = await self._transfers.offer(
            ExtensionReference.parse(request.extension),
            request.to_publisher,
            proof=proof_of(context),
        )
        return pb.OfferTransferResponse(expires_at=timestamp_of(expires_at))

    async def AcceptTransfer(
        self, request: pb.AcceptTransferRequest, context: Context
    ) -> pb.AcceptTransferResponse:
        """Takes an offer."""
        entry = await self._transfers.accept(
            ExtensionReference.parse(request.extension),
            request.to_publisher,
            proof=proof_of(context),
        )
        return pb.AcceptTransferResponse(extension=f"{entry.publisher}.{entry.name}")


def _publisher_message(publisher: Publisher) -> pb.Publisher:
    return pb.Publisher(
        publisher=publisher.publisher,
        owners=[
            pb.PublisherOwner(
                key_id=owner.key.key_id,
                public_jwk=owner.key.jwk,
                added_at=timestamp_of(owner.added_at),
            )
            for owner in publisher.owners
        ],
        created_at=timestamp_of(publisher.created_at),
    )
