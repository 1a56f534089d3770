"""Whoever watches hears of every change at once, and of every moment that was missed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from registry_service.rpc import install_reading_servicer
from shared.background import background
from shared.clock import SystemClock
from shared.errors import RegistryUnavailableError, UnauthenticatedError
from shared.install_changes import Change, InstallChange, Resync, VersionChange
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import registry_service_pb2
from shared.rpc.channel import open_channel
from shared.rpc.install_watch import follow_changes
from shared.rpc.metadata import call_metadata
from shared.rpc.status import to_error
from shared.tokens.service_token import ServiceRole, ServiceTokenSource
from tests.fixtures.postgres import NewDatabase, TestDatabase
from tests.fixtures.registry import NewRegistryHome, RegistryUnderTest, registry_on
from tests.fixtures.tenants import TenantUnderTest

SERVICE = "extension.registry.v1.InstallService"


class Heard:
    """What a follower was told, and a way to wait for it."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._news = asyncio.Event()

    def __call__(self, change: Change) -> None:
        self.changes.append(change)
        self._news.set()

    async def until(self, held: Callable[[list[Change]], bool], seconds: float = 10) -> float:
        """Waits until it holds for what was told; gives how long that took."""
        started = time.monotonic()
        async with asyncio.timeout(seconds):
            while not held(self.changes):
                self._news.clear()
                await self._news.wait()
        return time.monotonic() - started

    def of(self, tenant: TenantUnderTest) -> list[InstallChange]:
        return [
            each
            for each in self.changes
            if isinstance(each, InstallChange) and each.tenant_id == tenant.tenant_id
        ]


@asynccontextmanager
async def following(
    registry: RegistryUnderTest,
    *,
    role: ServiceRole = ServiceRole.RUNNER,
    silence_seconds: float = 25,
) -> AsyncIterator[Heard]:
    """Follows the registry as one of the services that do."""
    heard = Heard()
    tokens = ServiceTokenSource(
        key=registry.home.service_keys[role], audience="registry", clock=SystemClock()
    )
    async with (
        open_channel(f"127.0.0.1:{registry.registry.port}", service=SERVICE) as channel,
        background(follow_changes(channel, tokens, heard, silence_seconds=silence_seconds)),
    ):
        yield heard


async def settled(heard: Heard) -> None:
    """Waits for the first resync, and for the one of a registry that has just begun to listen."""
    await heard.until(lambda changes: Resync() in changes)
    await asyncio.sleep(0.2)


@pytest.fixture
async def tenant(registry: RegistryUnderTest) -> TenantUnderTest:
    tenant = TenantUnderTest(registry)
    await tenant.publish("1.0.0", "storage.kv")
    await tenant.publish("1.1.0", "storage.kv")
    return tenant


@pytest.mark.parametrize("role", ServiceRole)
async def test_every_change_is_heard_once_with_the_revision_that_it_made(
    registry: RegistryUnderTest, tenant: TenantUnderTest, role: ServiceRole
) -> None:
    async with following(registry, role=role) as heard:
        await settled(heard)
        made = await tenant.install(version="1.0.0")
        await tenant.ask("SetConfig", config_json='{"a":1}')
        await tenant.ask("SetConfig", config_json='{"a":1}')
        await tenant.ask("SetEgressRules", egress_rules=[])
        await tenant.ask("Disable")
        await tenant.ask("Enable")
        await tenant.ask("Update")
        await tenant.ask("Rollback", revision=1)
        await tenant.ask("Uninstall")
        await heard.until(lambda _: len(heard.of(tenant)) >= 7)
        told = heard.of(tenant)
        assert [each.revision for each in told] == [1, 2, 3, 4, 5, 6, 7]
        assert {str(each.install_id) for each in told} == {made.install_id}
        assert {str(each.registry_id) for each in told} == {made.registry_id}


async def test_a_change_is_heard_within_a_moment(
    registry: RegistryUnderTest, tenant: TenantUnderTest
) -> None:
    await tenant.install()
    async with following(registry) as heard:
        await settled(heard)
        for method in ("Disable", "Enable"):
            heard.changes.clear()
            await tenant.ask(method)
            assert await heard.until(lambda _: bool(heard.of(tenant))) < 1


async def test_a_change_that_is_rolled_back_is_not_heard(
    registry: RegistryUnderTest, tenant: TenantUnderTest, database: TestDatabase
) -> None:
    await tenant.install()
    connection = await asyncpg.connect(database.owner_dsn)
    async with following(registry) as heard:
        await settled(heard)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "update tenant_extension_install set revision = 99 where tenant_id = $1",
            tenant.tenant_id,
        )
        await transaction.rollback()
        await tenant.ask("Disable")
        await heard.until(lambda _: bool(heard.of(tenant)))
        assert [each.revision for each in heard.of(tenant)] == [2]
    await connection.close()


async def test_a_quarantine_and_its_end_are_heard(
    registry: RegistryUnderTest, tenant: TenantUnderTest
) -> None:
    life = registry_service_pb2
    named = {"extension": tenant.extension, "version": "1.1.0"}
    async with following(registry) as heard:
        await settled(heard)
        stop = life.QuarantineRequest(**named, reason="Malware.")
        await registry.call(registry.catalogue.Quarantine, stop)
        await registry.call(registry.catalogue.LiftQuarantine, life.LiftQuarantineRequest(**named))

        def told() -> list[VersionChange]:
            return [each for each in heard.changes if isinstance(each, VersionChange)]

        await heard.until(lambda _: len(told()) == 2)
        assert [each.quarantined for each in told()] == [True, False]


async def test_what_is_committed_while_nobody_listened_is_made_good_by_a_resync(
    registry: RegistryUnderTest, tenant: TenantUnderTest, database: TestDatabase
) -> None:
    await tenant.install()
    admin = await asyncpg.connect(database.owner_dsn)
    async with following(registry) as heard:
        await settled(heard)
        resyncs = heard.changes.count(Resync())
        killed = await admin.fetchval(
            """select count(pg_terminate_backend(pid)) from pg_stat_activity
               where datname = current_database() and application_name like '%watch'"""
        )
        assert killed == 1
        await heard.until(lambda changes: changes.count(Resync()) > resyncs)
        await tenant.ask("Disable")
        await heard.until(lambda _: bool(heard.of(tenant)))
    await admin.close()


async def test_an_unreadable_notification_makes_everybody_start_afresh(
    registry: RegistryUnderTest, database: TestDatabase
) -> None:
    admin = await asyncpg.connect(database.owner_dsn)
    async with following(registry) as heard:
        await settled(heard)
        resyncs = heard.changes.count(Resync())
        await admin.execute("select pg_notify('install_changes', 'canary')")
        await heard.until(lambda changes: changes.count(Resync()) > resyncs)
    await admin.close()


async def test_a_follower_outlives_its_registry_and_starts_afresh(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    home, database = new_registry_home(), await new_database()
    async with registry_on(home, database) as first:
        port = first.registry.port
        started = time.monotonic()
        following_it = following(first)
        heard = await following_it.__aenter__()
        await settled(heard)
    stopped_in = time.monotonic() - started
    assert stopped_in < 5, "the server waited for a stream that it could have ended"
    resyncs = heard.changes.count(Resync())

    def same_port(old: Any) -> Any:
        return old.model_copy(update={"listen": f"127.0.0.1:{port}"})

    async with registry_on(home, database, change=same_port) as second:
        await heard.until(lambda changes: changes.count(Resync()) > resyncs)
        tenant = TenantUnderTest(second)
        await tenant.publish("1.0.0")
        await tenant.install()
        await heard.until(lambda _: bool(heard.of(tenant)))
    await following_it.__aexit__(None, None, None)


async def test_a_silent_stream_beats_and_one_that_does_not_is_given_up(
    registry: RegistryUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(registry, silence_seconds=0.4) as heard:
        await heard.until(lambda changes: changes.count(Resync()) >= 3)  # it was opened anew
    monkeypatch.setattr(install_reading_servicer, "HEARTBEAT_SECONDS", 0.1)
    async with following(registry, silence_seconds=0.5) as heard:
        await settled(heard)
        resyncs = heard.changes.count(Resync())
        await asyncio.sleep(1.5)
        assert heard.changes.count(Resync()) == resyncs


async def test_only_services_watch(registry: RegistryUnderTest) -> None:
    call = registry.installs.WatchInstalls(
        pb.WatchInstallsRequest(), metadata=call_metadata(token="forged"), timeout=5
    )
    with pytest.raises(grpc.RpcError) as refused:
        await call.read()
    assert isinstance(to_error(refused.value, RegistryUnavailableError), UnauthenticatedError)


async def test_many_changes_reach_many_watchers(
    registry: RegistryUnderTest, database: TestDatabase
) -> None:
    ids = [uuid4() for _ in range(3000)]
    admin = await asyncpg.connect(database.owner_dsn)
    async with following(registry) as one, following(registry) as other:
        await settled(one)
        await settled(other)
        await admin.execute(
            """select pg_notify('install_changes', json_build_object('tenant_id', i,
                 'install_id', i, 'registry_id', i, 'revision', 1)::text)
               from unnest($1::uuid[]) i""",
            ids,
        )
        for heard in (one, other):
            # all of it, or a resync in place of what was too much
            await heard.until(
                lambda changes: (
                    isinstance(changes[-1], InstallChange) and changes[-1].install_id == ids[-1]
                )
            )
            told = [each.install_id for each in heard.changes if isinstance(each, InstallChange)]
            assert told == ids[len(ids) - len(told) :] or Resync() in heard.changes[1:]
    await admin.close()
