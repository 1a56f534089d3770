"""A guest reads its install's secrets, in a real runner, through a real registry."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.errors import SecretsUnavailableError
from shared.identifiers import TenantId
from shared.pb.registry.v1 import execution_log_service_pb2 as log_pb
from shared.pb.registry.v1 import install_service_pb2 as install_pb
from shared.pb.registry.v1 import secrets_service_pb2 as pb
from tests.fixtures.guests.assembly import assemble
from tests.fixtures.registry import RegistryUnderTest, new_tenant
from tests.fixtures.registry_runner import runner_for
from tests.fixtures.runner import RunnerClient

CANARY = "canary-c0ffee-42"
EXTENSION = "acme.reader"

# Answers 200 with the secret "api.key", or 500 and the number of the error.
READER = """(module
  (data (i32.const 64) "api.key")
  (import "libc" "memory" (memory 2))
  (import "alga:extension/secrets" "get" (func $get (param i32 i32 i32)))
  (func (export "handler") (param $request i32) (result i32)
    (call $get (i32.const 64) (i32.const 7) (i32.const 128))
    (if (i32.load8_u (i32.const 128))
      (then
        (i32.store16 (i32.const 512)
          (i32.add (i32.const 500) (i32.load8_u (i32.const 132)))))
      (else
        (i32.store16 (i32.const 512) (i32.const 200))
        (i32.store8 offset=12 (i32.const 512) (i32.const 1))
        (i32.store offset=16 (i32.const 512) (i32.load (i32.const 132)))
        (i32.store offset=20 (i32.const 512) (i32.load (i32.const 136)))))
    (i32.const 512)))"""
MISSING, DENIED, EXPIRED, INTERNAL = range(500, 504)


@dataclass(frozen=True)
class Reader:
    registry: RegistryUnderTest
    client: RunnerClient
    tenant: TenantId

    async def set_secret(self, text: str = CANARY) -> None:
        request = pb.SetSecretsRequest(
            tenant_id=str(self.tenant),
            extension=EXTENSION,
            secrets=[pb.SecretValue(key="api.key", value=text)],
        )
        await self.registry.call(self.registry.secrets.SetSecrets, request)

    async def call(self) -> tuple[int, bytes]:
        grant = (await self.registry.resolve(self.tenant, EXTENSION)).invocation_grant
        answer = await self.client.execute(grant)
        return answer.http.status, answer.http.body


@pytest.fixture(scope="module")
async def client(registry: RegistryUnderTest, compiled_cache: Path) -> AsyncIterator[RunnerClient]:
    await registry.publish(
        name="reader", component=assemble(READER), capabilities=["cap:secrets.get"]
    )
    async with runner_for(registry, cache_dir=compiled_cache) as client:
        yield client


@pytest.fixture
async def reader(registry: RegistryUnderTest, client: RunnerClient) -> Reader:
    tenant = new_tenant()
    await registry.install(tenant, EXTENSION)
    return Reader(registry, client, tenant)


async def test_a_guest_gets_what_was_set(reader: Reader) -> None:
    assert await reader.call() == (MISSING, b"")
    await reader.set_secret()
    assert await reader.call() == (200, CANARY.encode())


async def test_each_tenant_has_its_own(reader: Reader) -> None:
    await reader.set_secret()
    other = Reader(reader.registry, reader.client, new_tenant())
    await reader.registry.install(other.tenant, EXTENSION)
    assert await reader.call() == (200, CANARY.encode())
    assert await other.call() == (MISSING, b"")


async def test_a_guest_that_was_not_granted_it_is_denied(reader: Reader) -> None:
    await reader.set_secret()
    assert (await reader.call())[0] == 200
    request = install_pb.UpdateRequest(
        tenant_id=str(reader.tenant),
        extension=EXTENSION,
        grant=install_pb.CapabilityGrant(capabilities=["cap:log.emit"]),
        keep_grants=True,
    )
    await reader.registry.call(reader.registry.installs.Update, request)
    assert await reader.call() == (DENIED, b"")


async def test_a_registry_that_cannot_open_it_is_an_internal_failure(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reader.set_secret()
    with monkeypatch.context() as patch:

        async def unavailable(*_: object) -> Any:
            raise SecretsUnavailableError

        patch.setattr("registry_service.secrets.keyring_cipher.KeyringCipher.open", unavailable)
        assert await reader.call() == (INTERNAL, b"")
    assert (await reader.call())[0] == 200  # the failure was not remembered


async def test_what_the_runner_writes_down_has_no_secret(
    reader: Reader, capfd: pytest.CaptureFixture[str]
) -> None:
    await reader.set_secret()
    await reader.call()
    await reader.set_secret()
    request = log_pb.ListExecutionsRequest(tenant_id=str(reader.tenant))
    told = log_pb.ListExecutionsResponse()
    async with asyncio.timeout(10):
        while not told.executions:
            told = await reader.registry.call(reader.registry.log.ListExecutions, request)
    out, err = capfd.readouterr()
    assert CANARY not in out + err + str(told)
