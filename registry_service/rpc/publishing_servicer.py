"""The part of RegistryService that is about publishing, and about what was published."""

import json
from typing import Any, TypeAlias

from grpc import aio

from registry_service.catalog.bills_of_materials import BillsOfMaterials
from registry_service.catalog.garbage import Garbage
from registry_service.catalog.publish import Publisher
from registry_service.catalog.reference import ExtensionReference
from registry_service.rpc.conversion import check_message, timestamp_of, version_message
from registry_service.rpc.life_cycle_servicer import proof_of
from shared.bundles.manifest import manifest_schema
from shared.identifiers import parse_content_hash
from shared.pb.registry.v1 import registry_service_pb2 as pb

Context: TypeAlias = aio.ServicerContext[Any, Any]


class PublishingServicer:
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(self, *, publisher: Publisher, bills: BillsOfMaterials, garbage: Garbage) -> None:
        self._publisher = publisher
        self._bills = bills
        self._garbage = garbage

    async def AddVersion(
        self, request: pb.AddVersionRequest, context: Context
    ) -> pb.AddVersionResponse:
        """Publishes a version."""
        version, warnings = await self._publisher.add_version(
            ExtensionReference.parse(request.extension),
            parse_content_hash(request.content_hash),
            request.signature_envelope,
            proof=proof_of(context),
        )
        return pb.AddVersionResponse(version=version_message(version), warnings=warnings)

    async def ListPublishAttempts(
        self, request: pb.ListPublishAttemptsRequest, context: Context
    ) -> pb.ListPublishAttemptsResponse:
        """Lists publishes that were refused."""
        attempts = await self._publisher.attempts(
            ExtensionReference.parse(request.extension), request.version
        )
        return pb.ListPublishAttemptsResponse(
            attempts=[
                pb.PublishAttempt(
                    version=each.version,
                    content_hash=each.content_hash,
                    attempted_at=timestamp_of(each.attempted_at),
                    checks=[check_message(check) for check in each.checks],
                )
                for each in attempts
            ]
        )

    async def GetManifestSchema(
        self, request: pb.GetManifestSchemaRequest, context: Context
    ) -> pb.GetManifestSchemaResponse:
        """Gives the JSON Schema of manifests."""
        return pb.GetManifestSchemaResponse(schema_json=json.dumps(manifest_schema()))

    async def GetSbom(self, request: pb.GetSbomRequest, context: Context) -> pb.GetSbomResponse:
        """Gives a version's bill of materials."""
        kind, document = await self._bills.document(
            ExtensionReference.parse(request.extension), request.version
        )
        return pb.GetSbomResponse(format=kind, document=document)

    async def FindVersionsByComponent(
        self, request: pb.FindVersionsByComponentRequest, context: Context
    ) -> pb.FindVersionsByComponentResponse:
        """Finds who uses a component."""
        uses, token = await self._bills.find_uses(
            request.component,
            request.component_version,
            page_size=request.page_size,
            token=request.page_token,
        )
        return pb.FindVersionsByComponentResponse(
            uses=[
                pb.ComponentUse(
                    extension=f"{each.publisher}.{each.name}",
                    version=each.version,
                    component=each.component,
                    component_version=each.component_version,
                )
                for each in uses
            ],
            next_page_token=token,
        )

    async def CollectGarbage(
        self, request: pb.CollectGarbageRequest, context: Context
    ) -> pb.CollectGarbageResponse:
        """Deletes what no version refers to."""
        collected = await self._garbage.collect(dry_run=request.dry_run)
        return pb.CollectGarbageResponse(objects=collected.objects, bytes=collected.bytes)
