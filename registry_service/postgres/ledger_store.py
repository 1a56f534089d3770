"""The execution log in PostgreSQL."""

import dataclasses
import json
from collections.abc import Sequence

import asyncpg

from registry_service.ledger.model import (
    Execution,
    ExecutionFilter,
    ExecutionMetrics,
    ExecutionStatus,
    LogLevel,
    LogLine,
    LogPosition,
)
from registry_service.postgres.database import Connection, Database
from shared.identifiers import (
    ExecutionId,
    InstallId,
    RegistryId,
    TenantId,
    VersionId,
    parse_content_hash,
)


class PostgresLedgerStore:
    """A `LedgerStore`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def record(self, executions: Sequence[Execution]) -> None:
        """See `LedgerStore.record`. One round trip, whatever the tenants."""
        columns = list(zip(*(_row(execution) for execution in executions), strict=True))

        async def work(connection: Connection) -> None:
            places = ", ".join(f"${number + 1}" for number in range(len(columns)))
            await connection.execute(f"select record_executions({places})", *columns)

        await self._database.run(work, repeatable=True)

    async def list_executions(
        self,
        tenant_id: TenantId,
        wanted: ExecutionFilter,
        *,
        after: LogPosition | None,
        limit: int,
    ) -> Sequence[Execution]:
        """See `LedgerStore.list_executions`."""
        conditions = ["tenant_id = $1"]
        arguments: list[object] = [tenant_id]

        def where(condition: str, *values: object) -> None:
            numbers = [f"${len(arguments) + offset + 1}" for offset in range(len(values))]
            conditions.append(condition.format(*numbers))
            arguments.extend(values)

        if wanted.extension is not None:
            where(
                """registry_id in (
                    select id from extension_registry
                    where id = {0} or (publisher = {1} and name = {2}))""",
                wanted.extension.id, wanted.extension.publisher, wanted.extension.name,
            )  # fmt: skip
        if wanted.request_id:
            where("request_id = {0}", wanted.request_id)
        if wanted.status is not None:
            where("status = {0}", wanted.status.value)
        if after is not None:
            where("(started_at, id) < ({0}, {1})", after.started_at, after.execution_id)
        arguments.append(limit)

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                f"select * from extension_execution_log where {' and '.join(conditions)} "  # noqa: S608 - conditions are the literals above
                f"order by started_at desc, id desc limit ${len(arguments)}",
                *arguments,
            )

        rows = await self._database.for_tenant(tenant_id, work, repeatable=True)
        return [_execution(row) for row in rows]


def _row(execution: Execution) -> tuple[object, ...]:
    """In the order of the parameters of `record_executions`."""
    lines = [{"level": line.level.value, "message": line.message} for line in execution.log_lines]
    return (
        execution.tenant_id,
        execution.execution_id,
        execution.registry_id,
        execution.version_id,
        execution.install_id,
        execution.content_hash,
        execution.request_id,
        execution.started_at,
        execution.finished_at,
        execution.status.value,
        execution.error,
        execution.method,
        execution.path,
        execution.runner_id,
        json.dumps(dataclasses.asdict(execution.metrics)),
        json.dumps(lines),
    )


def _execution(row: asyncpg.Record) -> Execution:
    return Execution(
        execution_id=ExecutionId(row["id"]),
        tenant_id=TenantId(row["tenant_id"]),
        registry_id=RegistryId(row["registry_id"]),
        version_id=VersionId(row["version_id"]),
        install_id=InstallId(row["install_id"]),
        content_hash=parse_content_hash(row["content_hash"]),
        request_id=row["request_id"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        status=ExecutionStatus(row["status"]),
        error=row["error"],
        method=row["method"],
        path=row["path"],
        runner_id=row["runner_id"],
        metrics=ExecutionMetrics(**json.loads(row["metrics"])),
        log_lines=tuple(
            LogLine(LogLevel(line["level"]), line["message"])
            for line in json.loads(row["log_lines"])
        ),
    )
