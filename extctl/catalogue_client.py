"""Talks to a stack's registry about the catalogue: what there is, what became of it, who did it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from extctl.catalogue_records import AuditEvent, CatalogueEntry, Receipt, VersionState
from extctl.owner_key import OwnerKey
from extctl.registry_calls import RegistryCalls, registry_calls
from extctl.stack_file import StackFile
from shared.clock import Clock
from shared.pb.registry.v1 import registry_entry_pb2
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.pb.registry.v1 import registry_service_pb2_grpc as pb_grpc
from shared.tokens.publisher_proof import PublisherAction

SERVICE: Final = "extension.registry.v1.RegistryService"
_LARGEST_PAGE: Final = 200


class CatalogueClient:
    """The life cycle of versions, the audit log and searching, in plain values.

    Where an owner's key is given, the change is the publisher's; else it is the operator's.
    """

    def __init__(self, calls: RegistryCalls) -> None:
        self._calls = calls
        self._stub = pb_grpc.RegistryServiceStub(calls.channel)

    async def search(
        self,
        *,
        publisher: str,
        text: str,
        runtime: str,
        capability: str,
        status: str,
        limit: int,
    ) -> Sequence[CatalogueEntry]:
        """Entries by publisher and name; empty fields filter nothing."""
        value = f"STATUS_{status.upper() or 'UNSPECIFIED'}"
        found: list[CatalogueEntry] = []
        token = ""
        while len(found) < limit:
            request = pb.ListRegistryEntriesRequest(
                publisher=publisher,
                text=text,
                runtime=runtime,
                capability=capability,
                status=registry_entry_pb2.ExtensionVersion.Status.Value(value),
                page_size=min(limit - len(found), _LARGEST_PAGE),
                page_token=token,
            )
            told = await self._calls.call(self._stub.ListRegistryEntries, request)
            found.extend(map(_entry, told.entries))
            token = told.next_page_token
            if not token:
                break
        return found

    async def audit(self, *, about: str, limit: int) -> Sequence[AuditEvent]:
        """Audit events, newest first."""
        found: list[AuditEvent] = []
        token = ""
        while len(found) < limit:
            request = pb.ListAuditEventsRequest(
                about=about, page_size=min(limit - len(found), _LARGEST_PAGE), page_token=token
            )
            told = await self._calls.call(self._stub.ListAuditEvents, request)
            found.extend(map(_event, told.events))
            token = told.next_page_token
            if not token:
                break
        return found

    async def deprecate(
        self, extension: str, version: str, *, reason: str, replacement: str,
        actor: str, owner: OwnerKey | None,
    ) -> VersionState:  # fmt: skip
        """Marks a version as no longer recommended."""
        request = pb.DeprecateRequest(
            extension=extension, version=version, reason=reason, replacement=replacement,
            actor=actor,
        )  # fmt: skip
        proof = await self._proof(extension, version, PublisherAction.DEPRECATE, owner)
        told = await self._calls.call(self._stub.Deprecate, request, proof=proof)
        return _state(extension, told.version)

    async def undeprecate(
        self, extension: str, version: str, *, actor: str, owner: OwnerKey | None
    ) -> VersionState:
        """Takes a deprecation back."""
        request = pb.UndeprecateRequest(extension=extension, version=version, actor=actor)
        proof = await self._proof(extension, version, PublisherAction.UNDEPRECATE, owner)
        told = await self._calls.call(self._stub.Undeprecate, request, proof=proof)
        return _state(extension, told.version)

    async def yank(
        self, extension: str, version: str, *, reason: str, actor: str, owner: OwnerKey | None
    ) -> VersionState:
        """Blocks new installs of a version."""
        request = pb.YankRequest(extension=extension, version=version, reason=reason, actor=actor)
        proof = await self._proof(extension, version, PublisherAction.YANK, owner)
        told = await self._calls.call(self._stub.Yank, request, proof=proof)
        return _state(extension, told.version)

    async def unyank(
        self, extension: str, version: str, *, actor: str, owner: OwnerKey | None
    ) -> VersionState:
        """Takes a yank back."""
        request = pb.UnyankRequest(extension=extension, version=version, actor=actor)
        proof = await self._proof(extension, version, PublisherAction.UNYANK, owner)
        told = await self._calls.call(self._stub.Unyank, request, proof=proof)
        return _state(extension, told.version)

    async def quarantine(self, extension: str, version: str, *, reason: str, actor: str) -> Receipt:
        """Stops a version everywhere."""
        request = pb.QuarantineRequest(
            extension=extension, version=version, reason=reason, actor=actor
        )
        return _receipt((await self._calls.call(self._stub.Quarantine, request)).receipt)

    async def lift_quarantine(self, extension: str, version: str, *, actor: str) -> VersionState:
        """Takes a quarantine back."""
        request = pb.LiftQuarantineRequest(extension=extension, version=version, actor=actor)
        told = await self._calls.call(self._stub.LiftQuarantine, request)
        return _state(extension, told.version)

    async def receipt(self, receipt_id: str) -> Receipt:
        """The receipt of a quarantine."""
        request = pb.GetQuarantineReceiptRequest(receipt_id=receipt_id)
        return _receipt((await self._calls.call(self._stub.GetQuarantineReceipt, request)).receipt)

    async def _proof(
        self, extension: str, version: str, action: PublisherAction, owner: OwnerKey | None
    ) -> str:
        if owner is None:
            return ""
        request = pb.GetRegistryEntryRequest(extension=extension)
        entry = (await self._calls.call(self._stub.GetRegistryEntry, request)).entry
        return owner.prove(entry.publisher, action, f"{entry.publisher}.{entry.name} {version}")


@asynccontextmanager
async def catalogue_client(stack: StackFile, *, clock: Clock) -> AsyncIterator[CatalogueClient]:
    """A client for the registry of `stack`.

    Raises:
        CommandError: the operator's key cannot be read.
    """
    async with registry_calls(stack, service=SERVICE, clock=clock) as calls:
        yield CatalogueClient(calls)


def _entry(told: registry_entry_pb2.RegistryEntry) -> CatalogueEntry:
    return CatalogueEntry(
        registry_id=told.registry_id,
        extension=f"{told.publisher}.{told.name}",
        latest_version=told.latest_version,
        display_name=told.display_name,
        description=told.description,
        updated_at=told.updated_at.ToJsonString(),
    )


def _event(told: pb.AuditEvent) -> AuditEvent:
    return AuditEvent(
        event_id=told.event_id,
        at=told.at.ToJsonString(),
        actor=told.actor,
        action=told.action,
        about=told.about,
        detail=json.loads(told.detail_json),
    )


def _state(extension: str, told: registry_entry_pb2.ExtensionVersion) -> VersionState:
    status = registry_entry_pb2.ExtensionVersion.Status.Name(told.status)
    return VersionState(
        extension=extension,
        version=told.version,
        content_hash=told.content_hash,
        status=status.removeprefix("STATUS_").lower(),
        deprecation=told.deprecation.reason,
        replacement=told.deprecation.replacement,
        yank=told.yank.reason,
        quarantine=told.quarantine.reason,
    )


def _receipt(told: pb.QuarantineReceipt) -> Receipt:
    return Receipt(
        receipt_id=told.receipt_id,
        extension=told.extension,
        version=told.version,
        content_hash=told.content_hash,
        reason=told.reason,
        actor=told.actor,
        quarantined_at=told.quarantined_at.ToJsonString(),
        effective_by=told.effective_by.ToJsonString(),
        lifted_at=told.lifted_at.ToJsonString() if told.HasField("lifted_at") else "",
        installs=told.installs,
        enabled_installs=told.enabled_installs,
        last_execution_at=(
            told.last_execution_at.ToJsonString() if told.HasField("last_execution_at") else ""
        ),
        same_content=tuple(told.same_content),
    )
