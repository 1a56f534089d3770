"""StorageService on the wire."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

from grpc import aio

from registry_service.catalog.reference import ExtensionReference
from registry_service.rpc.conversion import tenant_of, timestamp_of
from registry_service.storage.model import Record, RecordWrite
from registry_service.storage.records import Records
from shared.pb.registry.v1 import storage_service_pb2 as pb
from shared.pb.registry.v1 import storage_service_pb2_grpc as pb_grpc
from shared.rpc.metadata import INVOCATION_GRANT, value_of
from shared.tokens.invocation_grant import InvocationGrant, InvocationGrantVerifier

Context: TypeAlias = aio.ServicerContext[Any, Any]


class StorageServicer(pb_grpc.StorageServiceServicer):
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(self, *, records: Records, grants: InvocationGrantVerifier) -> None:
        self._records = records
        self._grants = grants

    async def GetEntry(self, request: pb.GetEntryRequest, context: Context) -> pb.GetEntryResponse:
        """Reads a record."""
        record = await self._records.get(self._grant(context), request.namespace, request.key)
        return pb.GetEntryResponse(entry=_message(record))

    async def PutEntry(self, request: pb.PutEntryRequest, context: Context) -> pb.PutEntryResponse:
        """Writes a record."""
        record = await self._records.put(self._grant(context), request.namespace, _write(request))
        return pb.PutEntryResponse(entry=_message(record))

    async def PutEntries(
        self, request: pb.PutEntriesRequest, context: Context
    ) -> pb.PutEntriesResponse:
        """Writes several records, all or none."""
        records = await self._records.put_all(
            self._grant(context), request.namespace, [_write(each) for each in request.writes]
        )
        return pb.PutEntriesResponse(entries=[_message(record) for record in records])

    async def DeleteEntry(
        self, request: pb.DeleteEntryRequest, context: Context
    ) -> pb.DeleteEntryResponse:
        """Removes a record."""
        await self._records.delete(
            self._grant(context),
            request.namespace,
            request.key,
            if_revision=request.if_revision if request.HasField("if_revision") else None,
        )
        return pb.DeleteEntryResponse()

    async def ListEntries(
        self, request: pb.ListEntriesRequest, context: Context
    ) -> pb.ListEntriesResponse:
        """Lists the records of a namespace."""
        records, token = await self._records.list_records(
            self._grant(context),
            request.namespace,
            page_size=request.page_size,
            token=request.page_token,
            key_prefix=request.key_prefix,
        )
        return pb.ListEntriesResponse(
            entries=[_message(record) for record in records], next_page_token=token
        )

    async def ExportEntries(
        self, request: pb.ExportEntriesRequest, context: Context
    ) -> AsyncIterator[pb.ExportEntriesResponse]:
        """Streams all records of an install."""
        portions = self._records.export(
            tenant_of(request.tenant_id), ExtensionReference.parse(request.extension)
        )
        async for portion in portions:
            yield pb.ExportEntriesResponse(entries=[_message(record) for record in portion])

    def _grant(self, context: Context) -> InvocationGrant:
        return self._grants.verify(value_of(context.invocation_metadata(), INVOCATION_GRANT))


def _write(request: pb.PutEntryRequest | pb.EntryWrite) -> RecordWrite:
    return RecordWrite(
        key=request.key,
        value=request.value,
        if_revision=request.if_revision if request.HasField("if_revision") else None,
        ttl_seconds=request.ttl_seconds or None,
    )


def _message(record: Record) -> pb.StorageEntry:
    return pb.StorageEntry(
        namespace=record.namespace,
        key=record.key,
        value=record.value,
        revision=record.revision,
        expires_at=timestamp_of(record.expires_at) if record.expires_at else None,
    )
