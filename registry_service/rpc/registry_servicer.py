"""RegistryService on the wire."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

from grpc import aio

from registry_service.audit.audit import Audit
from registry_service.catalog.bills_of_materials import BillsOfMaterials
from registry_service.catalog.bundles import Bundles
from registry_service.catalog.catalog import Catalog
from registry_service.catalog.garbage import Garbage
from registry_service.catalog.life_cycle import LifeCycle
from registry_service.catalog.model import EntryFilter
from registry_service.catalog.publish import Publisher
from registry_service.catalog.quarantines import Quarantines
from registry_service.catalog.reference import ExtensionReference
from registry_service.rpc.conversion import (
    bundle_file_message,
    entry_message,
    version_message,
    version_status_of,
)
from registry_service.rpc.life_cycle_servicer import LifeCycleServicer, proof_of
from registry_service.rpc.publishing_servicer import PublishingServicer
from shared.errors import ArgumentInvalidError
from shared.identifiers import parse_content_hash
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.pb.registry.v1 import registry_service_pb2_grpc as pb_grpc

Context: TypeAlias = aio.ServicerContext[Any, Any]


class RegistryServicer(LifeCycleServicer, PublishingServicer, pb_grpc.RegistryServiceServicer):
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        bundles: Bundles,
        publisher: Publisher,
        life_cycle: LifeCycle,
        quarantines: Quarantines,
        audit: Audit,
        bills: BillsOfMaterials,
        garbage: Garbage,
    ) -> None:
        LifeCycleServicer.__init__(
            self, life_cycle=life_cycle, quarantines=quarantines, audit=audit
        )
        PublishingServicer.__init__(self, publisher=publisher, bills=bills, garbage=garbage)
        self._catalog = catalog
        self._bundles = bundles

    async def CreateRegistryEntry(
        self, request: pb.CreateRegistryEntryRequest, context: Context
    ) -> pb.CreateRegistryEntryResponse:
        """Creates an entry."""
        entry = await self._catalog.create_entry(
            publisher=request.publisher,
            name=request.name,
            display_name=request.display_name,
            description=request.description,
            proof=proof_of(context),
        )
        return pb.CreateRegistryEntryResponse(entry=entry_message(entry))

    async def ListRegistryEntries(
        self, request: pb.ListRegistryEntriesRequest, context: Context
    ) -> pb.ListRegistryEntriesResponse:
        """Lists entries."""
        entries, token = await self._catalog.list_entries(
            EntryFilter(
                publisher=request.publisher,
                text=request.text,
                runtime=request.runtime,
                capability=request.capability,
                status=version_status_of(request.status),
            ),
            page_size=request.page_size,
            token=request.page_token,
        )
        return pb.ListRegistryEntriesResponse(
            entries=[entry_message(entry) for entry in entries], next_page_token=token
        )

    async def GetRegistryEntry(
        self, request: pb.GetRegistryEntryRequest, context: Context
    ) -> pb.GetRegistryEntryResponse:
        """Finds an entry."""
        entry = await self._catalog.entry(ExtensionReference.parse(request.extension))
        return pb.GetRegistryEntryResponse(entry=entry_message(entry))

    async def UploadBundle(
        self, request_iterator: AsyncIterator[pb.UploadBundleRequest], context: Context
    ) -> pb.UploadBundleResponse:
        """Stores a bundle."""
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("part") != "header":
            raise ArgumentInvalidError("An upload starts with its header.", what="header")
        declared = first.header.content_hash
        upload = await self._bundles.upload(
            _chunks(request_iterator),
            declared=parse_content_hash(declared) if declared else None,
        )
        return pb.UploadBundleResponse(
            content_hash=upload.content_hash, size_bytes=upload.size_bytes, created=upload.created
        )

    async def GetVersion(
        self, request: pb.GetVersionRequest, context: Context
    ) -> pb.GetVersionResponse:
        """Finds a version."""
        reference = ExtensionReference.parse(request.extension)
        version = await self._catalog.version(reference, request.version)
        return pb.GetVersionResponse(version=version_message(version))

    async def ListVersions(
        self, request: pb.ListVersionsRequest, context: Context
    ) -> pb.ListVersionsResponse:
        """Lists the versions of an entry."""
        versions = await self._catalog.versions(ExtensionReference.parse(request.extension))
        return pb.ListVersionsResponse(versions=[version_message(each) for each in versions])

    async def GetBundleStream(
        self, request: pb.GetBundleStreamRequest, context: Context
    ) -> AsyncIterator[pb.GetBundleStreamResponse]:
        """Streams a stored bundle."""
        async for chunk in self._bundles.stream(parse_content_hash(request.content_hash)):
            yield pb.GetBundleStreamResponse(chunk=chunk)

    async def GetBundleIndex(
        self, request: pb.GetBundleIndexRequest, context: Context
    ) -> pb.GetBundleIndexResponse:
        """Lists the files of a stored bundle."""
        files = await self._bundles.index(parse_content_hash(request.content_hash))
        return pb.GetBundleIndexResponse(files=[bundle_file_message(file) for file in files])


async def _chunks(requests: AsyncIterator[pb.UploadBundleRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise ArgumentInvalidError("After its header an upload has chunks.", what="chunk")
        yield request.chunk
