"""`extctl executions`: what ran for a tenant, and how it ended."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from extctl.client import registry_client
from extctl.console import Console, table_of
from extctl.options import DEFAULT_STACK, AsJson, Stack, Tenant
from extctl.records import Execution, as_data
from extctl.stack_file import read_stack_file
from shared.clock import SystemClock

COLUMNS = ("started", "request", "call", "outcome", "took", "guest", "runner")


class Status(StrEnum):
    """How an execution ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    OOM = "oom"


def executions(
    *,
    tenant: Tenant,
    extension: Annotated[
        str, typer.Option("--extension", help='Only of this one: id or "publisher.name".')
    ] = "",
    request_id: Annotated[str, typer.Option("--request-id", help="Only of this request.")] = "",
    status: Annotated[Status | None, typer.Option("--status", help="Only those.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 20,
    logs: Annotated[bool, typer.Option("--logs", help="Show what the guest logged, too.")] = False,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """List a tenant's executions, newest first."""

    async def ask() -> Sequence[Execution]:
        async with registry_client(read_stack_file(stack), clock=SystemClock()) as client:
            return await client.executions(
                tenant,
                extension=extension,
                request_id=request_id,
                status=status.value if status else "",
                limit=limit,
            )

    told = asyncio.run(ask())
    console = Console(as_json=as_json)
    if not told:
        console.note("No executions yet; the log follows the calls by up to a second.")
    console.result(
        {"executions": [as_data(execution) for execution in told]},
        table_of(COLUMNS, [row_of(execution) for execution in told]),
    )
    if logs:
        for execution in told:
            for line in execution.log_lines:
                console.note(f"{execution.request_id}  {line}")


def row_of(execution: Execution) -> tuple[str, ...]:
    """One line of the table; the order is that of COLUMNS."""
    cold = " cold" if execution.cold_start else ""
    return (
        execution.started_at[11:23],  # the time of day; --json has all of it
        execution.request_id,
        f"{execution.method} {execution.path}",
        f"{execution.error or execution.status} {execution.http_status or ''}".strip(),
        f"{execution.duration_us / 1000:.1f} ms{cold}",
        f"{execution.guest_us / 1000:.1f} ms",
        execution.runner_id,
    )
