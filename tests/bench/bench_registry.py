"""What the registry's hot paths cost, and how that grows with what is stored.

BENCH_LARGE=1 measures with a million installs instead of a hundred thousand.
"""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from registry_service.catalog.reference import ExtensionReference
from registry_service.postgres.database import Connection, Database, open_database
from registry_service.postgres.install_store import PostgresInstallStore
from registry_service.postgres.record_store import PostgresRecordStore
from registry_service.postgres.tenant_scope import tenant_transaction
from registry_service.storage.model import RecordWrite, StorageLimits
from shared.bundles.archive import content_hash_of
from shared.clock import SystemClock
from shared.errors import StorageLimitExceededError
from shared.identifiers import InstallId, TenantId
from shared.pb.registry.v1 import install_service_pb2 as install_pb
from shared.pb.registry.v1 import registry_service_pb2 as registry_pb
from shared.trust.verification import SigningPolicy
from tests.fixtures.many_installs import ManyInstalls, tenant_number
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import (
    NewRegistryHome,
    RegistryUnderTest,
    bundle_of,
    new_tenant,
    registry_on,
)

LARGE: Final = 1_000_000 if os.environ.get("BENCH_LARGE") else 100_000
SIZES: Final = (10, 10_000, LARGE)
MIB: Final = 1024 * 1024
WRITERS: Final = 64


@dataclass
class Bench:
    """A registry in an event loop of its own, which runs only while something is measured."""

    runner: asyncio.Runner
    registry: RegistryUnderTest
    database: Database
    owner: "asyncpg.Connection[asyncpg.Record]"
    many: ManyInstalls

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        async def go() -> Any:
            return await work()

        return self.runner.run(go())


@pytest.fixture(scope="module")
def bench(database: TestDatabase, new_registry_home: NewRegistryHome) -> Iterator[Bench]:
    async def start(stack: AsyncExitStack) -> Bench:
        registry = await stack.enter_async_context(
            # the extensions that are made by SQL have no signatures of their own
            registry_on(
                new_registry_home(),
                database,
                change=lambda settings: settings.model_copy(
                    update={"signing_policy": SigningPolicy.OFF}
                ),
            )
        )
        opened = await stack.enter_async_context(
            open_database(database.application_dsn, max_connections=16, clock=SystemClock())
        )
        owner = await asyncpg.connect(database.owner_dsn)
        stack.push_async_callback(owner.close)
        version = await registry.publish()
        many = ManyInstalls(owner, UUID(version.version_id))
        await many.prepare()
        return Bench(runner, registry, opened, owner, many)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stack = AsyncExitStack()
        yield runner.run(start(stack))
        runner.run(stack.aclose())


async def latencies(call: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Seconds of each call, one after the other, sorted."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        found.append(time.perf_counter() - started)
    return sorted(found)


async def rate(call: Callable[[], Awaitable[object]], *, workers: int, times: int) -> float:
    """Calls in a second, with so many callers at once."""

    async def worker() -> None:
        for _ in range(times // workers):
            await call()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(workers)))
    return times / (time.perf_counter() - started)


def test_publishing_a_bundle_of_20_mib(bench: Bench, benchmark: BenchmarkFixture) -> None:
    numbers = iter(range(1, 100))
    noise = random.Random(1).randbytes(20 * MIB - 65_536)  # noqa: S311 - incompressible

    def prepare() -> tuple[tuple[str, bytes], dict[str, Any]]:
        version = f"2.0.{next(numbers)}"
        return (version, bundle_of(version=version, files={"ui/blob": noise})), {}

    async def add(version: str, data: bytes) -> None:
        await bench.registry.upload(data)
        request = registry_pb.AddVersionRequest(
            extension="acme.agreements",
            content_hash=content_hash_of(data),
            signature_envelope=bench.registry.sign(data, version=version),
        )
        await bench.registry.call(bench.registry.catalogue.AddVersion, request)

    def publish(version: str, data: bytes) -> None:
        bench.run(lambda: add(version, data))

    benchmark.pedantic(publish, setup=prepare, rounds=3)  # type: ignore[no-untyped-call]
    assert benchmark.stats is not None
    benchmark.extra_info["MiB/s"] = round(20 / benchmark.stats.stats.median, 1)


def test_resolving_costs_alike_with_ten_and_with_very_many_installs(
    bench: Bench, benchmark: BenchmarkFixture
) -> None:
    store = PostgresInstallStore(database=bench.database)
    chance = random.Random(2)  # noqa: S311 - the same in every run
    medians: dict[int, float] = {}
    names: list[str] = []

    async def resolve() -> None:
        tenant = tenant_number(chance.randrange(bench.many.tenants))
        reference = ExtensionReference.parse(names[chance.randrange(len(names))])
        assert await store.resolve(tenant, reference)

    async def ask() -> None:
        tenant = tenant_number(chance.randrange(bench.many.tenants))
        await bench.registry.resolve(tenant, names[chance.randrange(len(names))])

    for size in SIZES:
        bench.run(lambda size=size: bench.many.grow_to(size))  # type: ignore[misc]
        rows = bench.run(
            lambda: bench.owner.fetch(
                "select r.publisher || '.' || r.name as name from extension_registry r "
                "where exists (select from tenant_extension_install i where i.registry_id = r.id "
                "and i.tenant_id = $1)",
                tenant_number(0),
            )
        )
        names[:] = [row["name"] for row in rows]
        bench.run(lambda: latencies(resolve, 200))  # plans and caches
        medians[size] = min(
            statistics.median(bench.run(lambda: latencies(resolve, 300))) for _ in range(5)
        )
        times = bench.run(lambda: latencies(ask, 500))
        benchmark.extra_info[f"{size} installs"] = {
            "store p50 us": round(medians[size] * 1e6),
            "rpc p50 us": round(times[250] * 1e6),
            "rpc p99 us": round(times[495] * 1e6),
            "rpc/s": round(bench.run(lambda: rate(ask, workers=32, times=2000))),
        }
    growth = medians[LARGE] / medians[SIZES[0]]
    benchmark.extra_info["growth"] = round(growth, 2)
    benchmark(bench.run, resolve)
    assert growth <= 1.3


def test_the_last_page_costs_what_the_first_one_does(
    bench: Bench, benchmark: BenchmarkFixture
) -> None:
    bench.run(lambda: bench.many.grow_to(LARGE))
    tenant = tenant_number(bench.many.tenants // 2)

    async def page(token: str = "") -> Any:
        request = install_pb.ListInstallsRequest(
            tenant_id=str(tenant), page_size=10, page_token=token
        )
        return await bench.registry.call(bench.registry.installs.ListInstalls, request)

    async def last_token() -> str:
        token, following = "", (await page()).next_page_token
        while following:
            token, following = following, (await page(following)).next_page_token
        return str(token)

    token = bench.run(last_token)
    first = statistics.median(bench.run(lambda: latencies(page, 200)))
    last = statistics.median(bench.run(lambda: latencies(lambda: page(token), 200)))
    benchmark.extra_info["installs"] = LARGE
    benchmark.extra_info["last page / first page"] = round(last / first, 2)
    benchmark(bench.run, page)
    assert last < first * 2


def test_row_level_security_costs_little(bench: Bench, benchmark: BenchmarkFixture) -> None:
    """The same query, by a role that it binds and by one that it does not."""
    bench.run(lambda: bench.many.grow_to(LARGE))
    chance = random.Random(3)  # noqa: S311 - the same in every run
    query = (
        "select id, config from tenant_extension_install where tenant_id = $1 order by id limit 5"
    )

    async def bound(connection: Connection) -> float:
        return await measured(connection)

    async def measured(connection: Any) -> float:
        async def one() -> None:
            tenant = tenant_number(chance.randrange(bench.many.tenants))
            async with tenant_transaction(connection, tenant):
                assert len(await connection.fetch(query, tenant)) == 5

        await latencies(one, 100)
        return min([statistics.median(await latencies(one, 300)) for _ in range(3)])

    with_it = bench.run(lambda: bench.database.run(bound, repeatable=False))
    without = bench.run(lambda: measured(bench.owner))
    benchmark.extra_info["with / without"] = round(with_it / without, 2)
    benchmark(bench.run, lambda: bench.database.run(_nothing, repeatable=True))
    assert with_it < without * 2


async def _nothing(connection: Connection) -> None:
    await connection.fetchval("select 1")


def test_64_writers_on_one_quota(bench: Bench, benchmark: BenchmarkFixture) -> None:
    limits = StorageLimits(total_bytes=MIB)
    store = PostgresRecordStore(database=bench.database)
    tenant = new_tenant()
    install = bench.run(lambda: bench.registry.install(tenant))
    place = (TenantId(tenant), InstallId(UUID(install.install_id)))
    refused = 0

    async def put(number: int) -> None:
        nonlocal refused
        write = RecordWrite(key=f"k{number % 2000}", value=bytes(1024))
        try:
            await store.put(*place, f"n{number % 8}", [write], limits=limits)
        except StorageLimitExceededError:
            refused += 1

    async def all_at_once(times: int) -> None:
        numbers = iter(range(times))

        async def writer() -> None:
            for number in numbers:
                await put(number)

        await asyncio.gather(*(writer() for _ in range(WRITERS)))

    def seconds(work: Callable[[], Awaitable[object]]) -> float:
        started = time.perf_counter()
        bench.run(work)
        return time.perf_counter() - started

    alone = seconds(lambda: latencies(lambda: put(0), 300)) / 300
    benchmark.pedantic(bench.run, (lambda: all_at_once(2000),), rounds=3)  # type: ignore[no-untyped-call]
    assert benchmark.stats is not None
    together = benchmark.stats.stats.median / 2000
    used = bench.run(
        lambda: bench.owner.fetchval(
            "select sum(octet_length(value)) from ext_storage_records where tenant_id = $1", tenant
        )
    )
    benchmark.extra_info["puts/s, 64 writers"] = round(1 / together)
    benchmark.extra_info["puts/s, 1 writer"] = round(1 / alone)
    benchmark.extra_info["refused"] = refused
    assert refused
    assert used == limits.total_bytes  # full to the byte, and not over
