"""A grant that is out is void once its install or version changed: at once, or when it expires."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from shared.errors import InternalError
from shared.pb.registry.v1 import registry_service_pb2
from shared.rpc.status import to_error
from tests.fixtures.postgres import NewDatabase
from tests.fixtures.registry import NewRegistryHome, RegistryUnderTest, registry_on
from tests.fixtures.registry_runner import runner_for
from tests.fixtures.runner import RunnerClient
from tests.fixtures.tenants import TenantUnderTest

TRAPPED = "GUEST_TRAPPED"  # all that this guest can do

Change = Callable[[TenantUnderTest], Awaitable[object]]


async def quarantine(tenant: TenantUnderTest) -> None:
    request = registry_service_pb2.QuarantineRequest(
        extension=tenant.extension, version="1.0.0", reason="Malware."
    )
    await tenant.registry.call(tenant.registry.catalogue.Quarantine, request)


CHANGES: dict[str, Change] = {
    "disable": lambda tenant: tenant.ask("Disable"),
    "config": lambda tenant: tenant.ask("SetConfig", config_json='{"a":1}'),
    "update": lambda tenant: tenant.ask("Update", version="1.1.0"),
    "uninstall": lambda tenant: tenant.ask("Uninstall"),
    "quarantine": quarantine,
}


@pytest.fixture(scope="module")
async def runner(registry: RegistryUnderTest, compiled_cache: Path) -> AsyncIterator[RunnerClient]:
    async with runner_for(registry, cache_dir=compiled_cache) as client:
        yield client


async def installed(registry: RegistryUnderTest) -> TenantUnderTest:
    """A tenant with 1.0.0 of an extension that also has 1.1.0."""
    tenant = TenantUnderTest(registry)
    await tenant.publish("1.0.0")
    await tenant.publish("1.1.0")
    await tenant.install(version="1.0.0")
    return tenant


async def grant_of(tenant: TenantUnderTest) -> str:
    return str((await tenant.registry.resolve(tenant.tenant_id, tenant.extension)).invocation_grant)


async def reason_of(runner: RunnerClient, grant: str) -> str:
    """How the runner takes a grant: the reason of its refusal, or of the guest's failure."""
    try:
        return str((await runner.execute(grant)).failure.reason)
    except grpc.RpcError as refused:
        return to_error(refused, InternalError).reason


async def seconds_until_refused(runner: RunnerClient, grant: str) -> float:
    started = time.monotonic()
    while await reason_of(runner, grant) == TRAPPED:  # noqa: ASYNC110 - the runner tells nobody
        await asyncio.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.parametrize("change", CHANGES)
async def test_a_grant_is_void_within_a_second_of_the_change(
    registry: RegistryUnderTest, runner: RunnerClient, change: str
) -> None:
    tenant, other = await installed(registry), await installed(registry)
    grant, untouched = await grant_of(tenant), await grant_of(other)
    assert await reason_of(runner, grant) == TRAPPED
    await CHANGES[change](tenant)
    assert await seconds_until_refused(runner, grant) < 1
    assert await reason_of(runner, grant) == "INVOCATION_GRANT_REVOKED"
    assert await reason_of(runner, untouched) == TRAPPED


async def test_a_grant_of_after_the_change_is_good(
    registry: RegistryUnderTest, runner: RunnerClient
) -> None:
    tenant = await installed(registry)
    before = await grant_of(tenant)
    await tenant.ask("Disable")
    await tenant.ask("Enable")
    await seconds_until_refused(runner, before)
    assert await reason_of(runner, await grant_of(tenant)) == TRAPPED


async def test_with_the_stream_cut_it_is_void_within_thirty_seconds(
    new_database: NewDatabase, new_registry_home: NewRegistryHome, compiled_cache: Path
) -> None:
    home, database = new_registry_home(), await new_database()
    async with registry_on(home, database) as first:
        tenant = await installed(first)
        runner_context = runner_for(first, cache_dir=compiled_cache)
        runner = await runner_context.__aenter__()
        assert await reason_of(runner, await grant_of(tenant)) == TRAPPED
    try:
        async with registry_on(home, database) as elsewhere:  # where the runner does not listen
            tenant = TenantUnderTest(elsewhere, tenant.tenant_id, tenant.name)
            grant = await grant_of(tenant)
            await tenant.ask("Disable")
            assert await reason_of(runner, grant) == TRAPPED  # it has heard of nothing
            assert await seconds_until_refused(runner, grant) < 30
            assert await reason_of(runner, grant) == "INVOCATION_GRANT_INVALID"
    finally:
        await runner_context.__aexit__(None, None, None)
