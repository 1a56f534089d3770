"""The execution log over the wire: what runners report, and what operators read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import ManualClock, SystemClock
from shared.errors import ArgumentInvalidError, ForbiddenError, PageTokenInvalidError
from shared.identifiers import TenantId
from shared.pb.registry.v1 import execution_log_service_pb2 as pb
from shared.tokens.service_token import ServiceRole
from tests.fixtures.postgres import NewDatabase
from tests.fixtures.registry import (
    NewRegistryHome,
    RegistryUnderTest,
    new_tenant,
    registry_on,
)

START = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Subject:
    """A tenant with an install, and a grant for it."""

    tenant: TenantId
    install: Any
    grant: str


async def subject_of(registry: RegistryUnderTest, extension: str = "acme.logged") -> Subject:
    tenant = new_tenant()
    install = await registry.install(tenant, extension)
    return Subject(tenant, install, (await registry.resolve(tenant, extension)).invocation_grant)


@pytest.fixture(scope="module", autouse=True)
async def extension(registry: RegistryUnderTest) -> None:
    await registry.publish(name="logged")


@pytest.fixture
async def subject(registry: RegistryUnderTest) -> Subject:
    return await subject_of(registry)


def finished(grant: str, **changed: Any) -> pb.FinishedExecution:
    started: datetime = changed.pop("started_at", START)
    took: timedelta = changed.pop("took", timedelta(milliseconds=5))
    message = pb.FinishedExecution(
        **{
            "execution_id": str(uuid4()),
            "invocation_grant": grant,
            "request_id": "r-1",
            "status": pb.EXECUTION_STATUS_OK,
            "method": "GET",
            "path": "/agreements",
            "runner_id": "runner-1",
            "metrics": pb.ExecutionMetrics(
                duration_us=5000, guest_us=4000, request_bytes=1, response_bytes=2,
                http_status=200, host_calls=3, denied_host_calls=1, cold_start=True,
                peak_memory_bytes=65536,
            ),
            "log_lines": [pb.LogLine(level=pb.LogLine.LEVEL_WARN, message="careful")],
            **changed,
        }
    )  # fmt: skip
    message.started_at.FromDatetime(started)
    message.finished_at.FromDatetime(started + took)
    return message


async def record(registry: RegistryUnderTest, executions: Sequence[pb.FinishedExecution]) -> Any:
    return await registry.call(
        registry.log.RecordExecutions,
        pb.RecordExecutionsRequest(executions=executions),
        role=ServiceRole.RUNNER,
    )


async def listed(registry: RegistryUnderTest, tenant: TenantId, **wanted: Any) -> Any:
    request = pb.ListExecutionsRequest(tenant_id=str(tenant), **wanted)
    return await registry.call(registry.log.ListExecutions, request)


async def test_a_report_comes_back_with_what_its_grant_says(
    registry: RegistryUnderTest, subject: Subject
) -> None:
    report = finished(subject.grant)
    answer = await record(registry, [report])
    assert (answer.recorded, list(answer.rejected)) == (1, [])
    (row,) = (await listed(registry, subject.tenant)).executions
    for field in (
        "execution_id", "request_id", "started_at", "finished_at", "status", "error", "method",
        "path", "runner_id", "metrics", "log_lines",
    ):  # fmt: skip
        assert getattr(row, field) == getattr(report, field), field
    assert row.tenant_id == str(subject.tenant)
    for field in ("install_id", "registry_id", "version_id", "content_hash"):
        assert getattr(row, field) == getattr(subject.install, field)


async def test_repeating_a_batch_changes_nothing(
    registry: RegistryUnderTest, subject: Subject
) -> None:
    batch = [finished(subject.grant) for _ in range(3)]
    await record(registry, batch)
    await record(registry, [*batch, batch[0]])
    assert len((await listed(registry, subject.tenant)).executions) == 3


async def test_a_batch_may_speak_of_several_tenants(registry: RegistryUnderTest) -> None:
    subjects = [await subject_of(registry) for _ in range(3)]
    batch = [finished(each.grant, request_id=f"r-{n}") for n in range(4) for each in subjects]
    assert (await record(registry, batch)).recorded == 12
    for each in subjects:
        rows = (await listed(registry, each.tenant)).executions
        assert sorted(row.request_id for row in rows) == ["r-0", "r-1", "r-2", "r-3"]
        assert {row.install_id for row in rows} == {each.install.install_id}


async def test_what_cannot_be_right_is_rejected_by_its_index_and_the_rest_is_kept(
    registry: RegistryUnderTest, subject: Subject
) -> None:
    good = finished(subject.grant)
    bad = [
        finished("no grant"),
        finished(subject.grant, execution_id="1"),
        finished(subject.grant, status=pb.EXECUTION_STATUS_UNSPECIFIED),
        finished(subject.grant, took=timedelta(seconds=-1)),
        finished(subject.grant, took=timedelta(days=1)),
    ]
    answer = await record(registry, [bad[0], good, *bad[1:]])
    assert (answer.recorded, list(answer.rejected)) == (1, [0, 2, 3, 4, 5])
    assert len((await listed(registry, subject.tenant)).executions) == 1
    with pytest.raises(ArgumentInvalidError):
        await record(registry, [good] * 501)


async def test_what_guests_chose_is_bounded_and_storable(
    registry: RegistryUnderTest, subject: Subject
) -> None:
    lines = [pb.LogLine(level=pb.LogLine.LEVEL_INFO, message="a\x00b" + "x" * 1000)] * 300
    await record(
        registry,
        [finished(subject.grant, path="/\x00" + "p" * 9000, request_id="?", log_lines=lines)],
    )
    (row,) = (await listed(registry, subject.tenant)).executions
    assert row.path == ("/\ufffd" + "p" * 9000)[:2048]
    assert row.request_id == ""
    assert row.log_lines[0].message.startswith("a\ufffdb")
    assert sum(len(line.message) for line in row.log_lines) <= 64 * 1024


async def test_pages_show_every_row_once_newest_first(
    registry: RegistryUnderTest, subject: Subject
) -> None:
    moments = [START + timedelta(seconds=number // 3) for number in range(20)]
    await record(registry, [finished(subject.grant, started_at=moment) for moment in moments])
    found, token = [], ""
    while True:
        page = await listed(registry, subject.tenant, page_size=6, page_token=token)
        found += [(row.started_at.ToDatetime(), row.execution_id) for row in page.executions]
        token = page.next_page_token
        if not token:
            break
    assert len(set(found)) == 20
    assert found == sorted(found, reverse=True)
    first = await listed(registry, subject.tenant, page_size=6)
    for wrong in (
        {"page_token": first.next_page_token, "request_id": "r-1"},
        {"page_token": first.next_page_token[:-3]},
    ):
        with pytest.raises(PageTokenInvalidError):
            await listed(registry, subject.tenant, **wrong)
    with pytest.raises(PageTokenInvalidError):
        await listed(registry, new_tenant(), page_token=first.next_page_token)


async def test_rows_are_found_by_extension_request_and_status(
    registry: RegistryUnderTest, subject: Subject
) -> None:
    await registry.publish(name="unlogged")
    await record(
        registry,
        [
            finished(subject.grant, request_id="r-a"),
            finished(subject.grant, status=pb.EXECUTION_STATUS_OOM, error="GUEST_OUT_OF_MEMORY"),
        ],
    )

    async def count(**wanted: Any) -> int:
        return len((await listed(registry, subject.tenant, **wanted)).executions)

    assert await count() == 2
    assert await count(request_id="r-a") == 1
    assert await count(status=pb.EXECUTION_STATUS_OOM) == 1
    assert await count(status=pb.EXECUTION_STATUS_OOM, request_id="r-a") == 0
    assert await count(extension="Acme.Logged") == 2
    assert await count(extension=subject.install.registry_id, request_id="r-a") == 1
    assert await count(extension="acme.unlogged") == 0
    assert await count(extension="no.such") == 0
    with pytest.raises(ArgumentInvalidError):
        await count(request_id="'; --")


async def test_runners_write_and_operators_read(
    registry: RegistryUnderTest, subject: Subject
) -> None:
    for role in (ServiceRole.OPERATOR, ServiceRole.GATEWAY):
        with pytest.raises(ForbiddenError):
            await registry.call(
                registry.log.RecordExecutions, pb.RecordExecutionsRequest(), role=role
            )
    for role in (ServiceRole.RUNNER, ServiceRole.GATEWAY):
        request = pb.ListExecutionsRequest(tenant_id=str(subject.tenant))
        with pytest.raises(ForbiddenError):
            await registry.call(registry.log.ListExecutions, request, role=role)


async def test_a_report_may_be_a_week_late_and_no_more(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    clock = ManualClock(SystemClock().now())
    home, database = new_registry_home(), await new_database()
    async with registry_on(home, database) as registry:
        await registry.publish(name="logged")
        subject = await subject_of(registry)
    clock.advance(6.9 * 24 * 3600)
    for late, rejected in ((0.0, 0), (0.2 * 24 * 3600, 1)):
        clock.advance(late)
        async with registry_on(home, database, clock=clock) as registry:
            registry.follow(clock)
            answer = await record(registry, [finished(subject.grant)])
            assert len(answer.rejected) == rejected
