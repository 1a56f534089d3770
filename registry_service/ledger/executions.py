"""The execution log: runners append, operators read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from registry_service.ledger.model import (
    Execution,
    ExecutionFilter,
    LogLine,
    LogPosition,
    Report,
)
from registry_service.ledger.store import LedgerStore
from registry_service.paging import page_size_of, page_token, position_of
from shared.errors import (
    ArgumentInvalidError,
    InvocationGrantInvalidError,
    PageTokenInvalidError,
)
from shared.identifiers import ExecutionId, TenantId, is_request_id, parse_uuid
from shared.tokens.invocation_grant import InvocationGrantVerifier

MAX_BATCH: Final = 500
REPORTED_WITHIN: Final = timedelta(days=7)
"""How late a runner may report: as long as it may keep what it could not ship."""
LONGEST: Final = timedelta(hours=1)
MAX_PATH: Final = 2048
MAX_WORD: Final = 128
MAX_METHOD: Final = 16
MAX_LINES: Final = 200
MAX_LINES_CHARS: Final = 64 * 1024
DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 500


class Executions:
    """What ran."""

    def __init__(self, *, store: LedgerStore, grants: InvocationGrantVerifier) -> None:
        self._store = store
        self._grants = grants

    async def record(self, reports: Sequence[Report]) -> Sequence[int]:
        """Appends what ran; gives the indexes of the reports that were rejected.

        Tenant, install and version come from each report's grant, so a runner can only write
        about invocations that it was given. Repeating a batch changes nothing.

        Raises:
            ArgumentInvalidError: there are more than 500.
        """
        if len(reports) > MAX_BATCH:
            raise ArgumentInvalidError(
                f"A batch has at most {MAX_BATCH} executions.", what="executions"
            )
        accepted: list[Execution] = []
        rejected: list[int] = []
        for index, report in enumerate(reports):
            try:
                accepted.append(self._execution_of(report))
            except (ArgumentInvalidError, InvocationGrantInvalidError):
                rejected.append(index)
        if accepted:
            await self._store.record(accepted)
        return rejected

    async def list_executions(
        self, tenant_id: TenantId, wanted: ExecutionFilter, *, page_size: int, token: str
    ) -> tuple[Sequence[Execution], str]:
        """One page of a tenant's executions, newest first, and the token of the next (empty: none).

        Raises:
            ArgumentInvalidError: the request id breaks its grammar, or the page is too large.
            PageTokenInvalidError: the token is of another listing.
        """
        if wanted.request_id and not is_request_id(wanted.request_id):
            raise ArgumentInvalidError("This is no request id.", what="request_id")
        limit = page_size_of(page_size, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        listing = ("executions", str(tenant_id), repr(wanted))
        position = position_of(token, listing, parts=2)
        found = await self._store.list_executions(
            tenant_id, wanted, after=_position(position) if position else None, limit=limit + 1
        )
        page = found[:limit]
        if len(found) <= limit:
            return page, ""
        last = page[-1]
        return page, page_token(listing, (last.started_at.isoformat(), str(last.execution_id)))

    def _execution_of(self, report: Report) -> Execution:
        if report.status is None:
            raise ArgumentInvalidError("The status is missing.", what="status")
        if not timedelta() <= report.finished_at - report.started_at <= LONGEST:
            raise ArgumentInvalidError("The times cannot be right.", what="finished_at")
        grant = self._grants.verify(report.invocation_grant, expired_since=REPORTED_WITHIN)
        return Execution(
            execution_id=ExecutionId(parse_uuid(report.execution_id, "execution_id")),
            tenant_id=grant.tenant_id,
            registry_id=grant.registry_id,
            version_id=grant.version_id,
            install_id=grant.install_id,
            content_hash=grant.content_hash,
            request_id=report.request_id if is_request_id(report.request_id) else "",
            started_at=report.started_at,
            finished_at=report.finished_at,
            status=report.status,
            error=_storable(report.error, MAX_WORD),
            method=_storable(report.method, MAX_METHOD),
            path=_storable(report.path, MAX_PATH),
            runner_id=_storable(report.runner_id, MAX_WORD),
            metrics=report.metrics,
            log_lines=_bounded(report.log_lines),
        )


def _position(parts: tuple[str, ...]) -> LogPosition:
    try:
        started_at = datetime.fromisoformat(parts[0]).astimezone(UTC)
        return LogPosition(started_at, ExecutionId(parse_uuid(parts[1], "page_token")))
    except (ValueError, OverflowError, ArgumentInvalidError):
        raise PageTokenInvalidError from None


def _bounded(lines: Sequence[LogLine]) -> tuple[LogLine, ...]:
    kept = []
    room = MAX_LINES_CHARS
    for line in lines[:MAX_LINES]:
        message = _storable(line.message, room)
        kept.append(replace(line, message=message))
        room -= len(message)
        if room <= 0:
            break
    return tuple(kept)


def _storable(text: str, longest: int) -> str:
    """Cut to a length; NUL, which PostgreSQL cannot hold, becomes the replacement character."""
    return text[:longest].replace("\0", "\N{REPLACEMENT CHARACTER}")
