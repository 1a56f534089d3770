"""The part of RegistryService that is about what becomes of versions, and about who did it."""

from typing import Any, Final, TypeAlias

from grpc import aio

from registry_service.audit.audit import Audit
from registry_service.audit.model import AuditEvent
from registry_service.catalog.life_cycle import Caller, LifeCycle
from registry_service.catalog.model import QuarantineReceipt
from registry_service.catalog.quarantines import Quarantines, effective_by
from registry_service.catalog.reference import ExtensionReference
from registry_service.rpc.conversion import timestamp_of, version_message
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.rpc.metadata import PUBLISHER_PROOF, value_of

Context: TypeAlias = aio.ServicerContext[Any, Any]

_parse: Final = ExtensionReference.parse


class LifeCycleServicer:
    """Reads requests, has them carried out, and writes answers; decides nothing."""

    def __init__(self, *, life_cycle: LifeCycle, quarantines: Quarantines, audit: Audit) -> None:
        self._life_cycle = life_cycle
        self._quarantines = quarantines
        self._audit = audit

    async def Deprecate(
        self, request: pb.DeprecateRequest, context: Context
    ) -> pb.DeprecateResponse:
        """Marks a version as no longer recommended."""
        version = await self._life_cycle.deprecate(
            _parse(request.extension),
            request.version,
            reason=request.reason,
            replacement=request.replacement,
            caller=_caller(request.actor, context),
        )
        return pb.DeprecateResponse(version=version_message(version))

    async def Undeprecate(
        self, request: pb.UndeprecateRequest, context: Context
    ) -> pb.UndeprecateResponse:
        """Takes a deprecation back."""
        version = await self._life_cycle.undeprecate(
            _parse(request.extension), request.version, caller=_caller(request.actor, context)
        )
        return pb.UndeprecateResponse(version=version_message(version))

    async def Yank(self, request: pb.YankRequest, context: Context) -> pb.YankResponse:
        """Blocks new installs of a version."""
        version = await self._life_cycle.yank(
            _parse(request.extension),
            request.version,
            reason=request.reason,
            caller=_caller(request.actor, context),
        )
        return pb.YankResponse(version=version_message(version))

    async def Unyank(self, request: pb.UnyankRequest, context: Context) -> pb.UnyankResponse:
        """Takes a yank back."""
        version = await self._life_cycle.unyank(
            _parse(request.extension), request.version, caller=_caller(request.actor, context)
        )
        return pb.UnyankResponse(version=version_message(version))

    async def Quarantine(
        self, request: pb.QuarantineRequest, context: Context
    ) -> pb.QuarantineResponse:
        """Stops a version everywhere."""
        receipt = await self._quarantines.quarantine(
            _parse(request.extension), request.version, reason=request.reason, actor=request.actor
        )
        return pb.QuarantineResponse(receipt=_receipt_message(receipt))

    async def LiftQuarantine(
        self, request: pb.LiftQuarantineRequest, context: Context
    ) -> pb.LiftQuarantineResponse:
        """Takes a quarantine back."""
        version = await self._quarantines.lift(
            _parse(request.extension), request.version, actor=request.actor
        )
        return pb.LiftQuarantineResponse(version=version_message(version))

    async def GetQuarantineReceipt(
        self, request: pb.GetQuarantineReceiptRequest, context: Context
    ) -> pb.GetQuarantineReceiptResponse:
        """Finds a receipt."""
        receipt = await self._quarantines.receipt(request.receipt_id)
        return pb.GetQuarantineReceiptResponse(receipt=_receipt_message(receipt))

    async def ListAuditEvents(
        self, request: pb.ListAuditEventsRequest, context: Context
    ) -> pb.ListAuditEventsResponse:
        """Lists who changed what."""
        events, token = await self._audit.list_events(
            about=request.about, page_size=request.page_size, token=request.page_token
        )
        return pb.ListAuditEventsResponse(
            events=[_event_message(event) for event in events], next_page_token=token
        )


def proof_of(context: Context) -> str:
    """The publisher proof that a call carries, or the empty string."""
    return value_of(context.invocation_metadata(), PUBLISHER_PROOF)


def _caller(actor: str, context: Context) -> Caller:
    return Caller(name=actor, proof=proof_of(context))


def _receipt_message(receipt: QuarantineReceipt) -> pb.QuarantineReceipt:
    last = receipt.last_execution_at
    return pb.QuarantineReceipt(
        receipt_id=str(receipt.receipt_id),
        extension=f"{receipt.publisher}.{receipt.name}",
        version=receipt.version,
        content_hash=receipt.content_hash,
        reason=receipt.reason,
        actor=receipt.actor,
        quarantined_at=timestamp_of(receipt.quarantined_at),
        lifted_at=timestamp_of(receipt.lifted_at) if receipt.lifted_at else None,
        installs=receipt.installs,
        enabled_installs=receipt.enabled_installs,
        last_execution_at=timestamp_of(last) if last else None,
        effective_by=timestamp_of(effective_by(receipt)),
        same_content=receipt.same_content,
    )


def _event_message(event: AuditEvent) -> pb.AuditEvent:
    return pb.AuditEvent(
        event_id=str(event.event_id),
        at=timestamp_of(event.at),
        actor=event.actor,
        action=event.action,
        about=event.about,
        detail_json=event.detail_json,
    )
