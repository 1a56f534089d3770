"""A runner and a real registry: records, grants and the execution log are the registry's."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.identifiers import TenantId
from shared.pb.registry.v1 import execution_log_service_pb2 as log_pb
from shared.pb.registry.v1 import install_service_pb2 as install_pb
from shared.pb.runner.v1 import runner_service_pb2 as pb
from tests.fixtures.registry import RegistryUnderTest, new_tenant
from tests.fixtures.registry_runner import runner_for
from tests.fixtures.runner import RunnerClient

COMPONENT = Path(__file__).parents[3] / "examples/agreements/dist/main.wasm"
CONFIG = '{"greeting":"good day"}'


@dataclass(frozen=True)
class Pair:
    registry: RegistryUnderTest
    client: RunnerClient

    async def installed(self, tenant_id: TenantId) -> str:
        """Installs the extension for a tenant; gives the registry's grant."""
        request = install_pb.InstallRequest(
            tenant_id=str(tenant_id), extension="acme.agreements", config_json=CONFIG
        )
        await self.registry.call(self.registry.installs.Install, request)
        resolved = await self.registry.resolve(tenant_id)
        assert resolved.install.config_json == CONFIG
        return str(resolved.invocation_grant)

    async def execute(self, grant: str, method: str, url: str, **fields: Any) -> pb.ExecuteResponse:
        return await self.client.execute(grant, url, method=method, config_json=CONFIG, **fields)


@pytest.fixture(scope="module")
async def pair(registry: RegistryUnderTest, compiled_cache: Path) -> AsyncIterator[Pair]:
    component = await asyncio.to_thread(COMPONENT.read_bytes)
    await registry.publish(component=component)
    async with runner_for(registry, cache_dir=compiled_cache) as client:
        yield Pair(registry, client)


async def test_what_an_extension_stores_comes_back_in_another_call(pair: Pair) -> None:
    grant = await pair.installed(new_tenant())
    draft = json.dumps({"title": "Supply", "counterparty": "Globex"}).encode()

    created = await pair.execute(grant, "POST", "/agreements", body=draft, request_id="order-1")
    assert created.http.status == 201
    read = await pair.execute(grant, "GET", "/agreements/order-1")
    listed = await pair.execute(grant, "GET", "/agreements")

    assert json.loads(read.http.body)["title"] == "Supply"
    assert json.loads(listed.http.body)["greeting"] == "good day"
    assert [one["id"] for one in json.loads(listed.http.body)["agreements"]] == ["order-1"]


async def test_another_tenant_sees_nothing_of_it(pair: Pair) -> None:
    ours, theirs = await pair.installed(new_tenant()), await pair.installed(new_tenant())
    draft = json.dumps({"title": "Secret"}).encode()
    await pair.execute(ours, "POST", "/agreements", body=draft, request_id="order-2")

    answer = await pair.execute(theirs, "GET", "/agreements/order-2")
    listed = await pair.execute(theirs, "GET", "/agreements")

    assert answer.http.status == 404
    assert json.loads(listed.http.body)["agreements"] == []


async def test_executions_stand_in_the_registrys_log(pair: Pair) -> None:
    tenant_id = new_tenant()
    grant = await pair.installed(tenant_id)
    draft = json.dumps({"title": "Logged"}).encode()

    answer = await pair.execute(grant, "POST", "/agreements", body=draft, request_id="order-3")
    [row] = await _rows(pair.registry, tenant_id)

    assert row.execution_id == answer.execution_id
    assert row.request_id == "order-3"
    assert row.status == log_pb.EXECUTION_STATUS_OK
    assert (row.method, row.path) == ("POST", "/agreements")
    assert row.metrics.http_status == 201
    assert [line.message for line in row.log_lines] == ["agreement order-3 created"]


async def _rows(registry: RegistryUnderTest, tenant_id: TenantId) -> list[log_pb.Execution]:
    """The tenant's executions, once there are any."""
    request = log_pb.ListExecutionsRequest(tenant_id=str(tenant_id))
    async with asyncio.timeout(10):
        while True:
            answer = await registry.call(registry.log.ListExecutions, request)
            if answer.executions:
                return list(answer.executions)
            await asyncio.sleep(0.05)
