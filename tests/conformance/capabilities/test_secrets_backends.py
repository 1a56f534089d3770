"""What every `SecretsBackend` must do: the registry's, the one that remembers, and the fake."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from runner_service.backends.remembered_secrets import RememberedSecrets
from runner_service.backends.secrets import SecretsBackend
from runner_service.invocation import Invocation
from runner_service.rpc.registry_secrets import REPEATABLE, SERVICE, RegistrySecrets
from shared.capabilities import SECRETS_GET
from shared.clock import SystemClock
from shared.errors import (
    CapabilityNotGrantedError,
    InvocationGrantInvalidError,
    RegistryUnavailableError,
    SecretExpiredError,
    SecretNotFoundError,
)
from shared.pb.registry.v1 import secrets_service_pb2 as pb
from shared.rpc.channel import open_channel
from shared.secret import Secret
from shared.tokens.service_token import ServiceRole, ServiceTokenSource
from tests.fakes.memory_secrets import MemorySecrets
from tests.fixtures.grant_holders import holder_of
from tests.fixtures.invocations import grant_of, invocation_of
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import RegistryUnderTest, new_signing_key, new_tenant

Put = Callable[[Invocation, str, str], Awaitable[None]]


@dataclass(frozen=True)
class Backend:
    """A backend, and invocations of three installs: two may read secrets, one may not."""

    secrets: SecretsBackend
    ours: Invocation
    theirs: Invocation
    denied: Invocation
    put: Put
    expire: Callable[[Invocation, str], Awaitable[None]]


@pytest.fixture
def memory_backend() -> Backend:
    memory = MemorySecrets()

    async def put(invocation: Invocation, key: str, text: str) -> None:
        memory.secrets[invocation.grant.install_id, key] = (Secret(text), None)

    async def expire(invocation: Invocation, key: str) -> None:
        place = (invocation.grant.install_id, key)
        memory.secrets[place] = (memory.secrets[place][0], SystemClock().now())

    return Backend(
        secrets=memory,
        ours=invocation_of(grant_of(SECRETS_GET, install=1)),
        theirs=invocation_of(grant_of(SECRETS_GET, install=2)),
        denied=invocation_of(grant_of(install=3)),
        put=put,
        expire=expire,
    )


@pytest.fixture
async def registry_backend(
    registry: RegistryUnderTest, database: TestDatabase
) -> AsyncIterator[Backend]:
    key = registry.home.service_keys[ServiceRole.RUNNER]
    tokens = ServiceTokenSource(key=key, audience="registry", clock=SystemClock())
    with_secrets, without = f"secret-{uuid4().hex[:8]}", f"none-{uuid4().hex[:8]}"
    await registry.publish(name=with_secrets, capabilities=[SECRETS_GET])
    await registry.publish(name=without, capabilities=[])
    owner = await asyncpg.connect(database.owner_dsn)

    async def installed(name: str) -> Invocation:
        tenant_id = new_tenant()
        await registry.install(tenant_id, f"acme.{name}")
        holder = await holder_of(registry, tenant_id, f"acme.{name}")
        return invocation_of(holder.grant, grant_token=holder.grant_token)

    async def put(invocation: Invocation, key: str, text: str) -> None:
        request = pb.SetSecretsRequest(
            tenant_id=str(invocation.grant.tenant_id),
            extension=str(invocation.grant.install_id),
            secrets=[pb.SecretValue(key=key, value=text)],
        )
        await registry.call(registry.secrets.SetSecrets, request)

    async def expire(invocation: Invocation, key: str) -> None:
        await owner.execute(
            "update tenant_extension_install_secrets set expires_at = now() "
            "where install_id = $1 and key = $2",
            invocation.grant.install_id,
            key,
        )

    target = f"127.0.0.1:{registry.registry.port}"
    async with open_channel(target, service=SERVICE, repeatable=REPEATABLE) as channel:
        yield Backend(
            secrets=RegistrySecrets(channel=channel, tokens=tokens),
            ours=await installed(with_secrets),
            theirs=await installed(with_secrets),
            denied=await installed(without),
            put=put,
            expire=expire,
        )
    await owner.close()


@pytest.fixture
def remembering_backend(registry_backend: Backend) -> Backend:
    remembered = RememberedSecrets(backend=registry_backend.secrets, clock=SystemClock())
    return replace(registry_backend, secrets=remembered)


@pytest.fixture(params=["memory_backend", "registry_backend", "remembering_backend"])
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.getfixturevalue(request.param)
    return found


async def test_a_secret_is_got_until_it_must_be_asked_for_again(backend: Backend) -> None:
    await backend.put(backend.ours, "k", "é😀")
    opened = await backend.secrets.get(backend.ours, "k")
    left = opened.keep_until - SystemClock().now()
    assert opened.secret == Secret("é😀")
    assert timedelta(seconds=20) < left <= timedelta(seconds=30)
    assert "é" not in repr(opened)


async def test_what_is_not_there_is_missing_until_it_is_set(backend: Backend) -> None:
    for key in ("k", "", "a/b", "x" * 500, "é\0"):
        with pytest.raises(SecretNotFoundError):
            await backend.secrets.get(backend.ours, key)
    await backend.put(backend.ours, "k", "v")
    assert (await backend.secrets.get(backend.ours, "k")).secret == Secret("v")


async def test_what_has_expired_is_told_as_expired(backend: Backend) -> None:
    await backend.put(backend.ours, "k", "v")
    await backend.put(backend.ours, "on", "v")
    await backend.expire(backend.ours, "k")
    with pytest.raises(SecretExpiredError):
        await backend.secrets.get(backend.ours, "k")
    assert list(await backend.secrets.list_keys(backend.ours)) == ["on"]


async def test_names_are_sorted(backend: Backend) -> None:
    for key in ("b", "a", "C", "a.b"):
        await backend.put(backend.ours, key, "v")
    assert list(await backend.secrets.list_keys(backend.ours)) == ["C", "a", "a.b", "b"]


async def test_installs_do_not_see_each_other(backend: Backend) -> None:
    await backend.put(backend.ours, "k", "v")
    await backend.secrets.get(backend.ours, "k")
    with pytest.raises(SecretNotFoundError):
        await backend.secrets.get(backend.theirs, "k")
    assert list(await backend.secrets.list_keys(backend.theirs)) == []


async def test_an_install_without_the_capability_is_refused(backend: Backend) -> None:
    with pytest.raises(CapabilityNotGrantedError):
        await backend.secrets.get(backend.denied, "k")
    with pytest.raises(CapabilityNotGrantedError):
        await backend.secrets.list_keys(backend.denied)


async def test_a_forged_grant_gets_nothing_from_the_registry(registry_backend: Backend) -> None:
    await registry_backend.put(registry_backend.ours, "k", "v")
    forged = invocation_of(registry_backend.ours.grant, grant_token="forged")
    with pytest.raises(InvocationGrantInvalidError):
        await registry_backend.secrets.get(forged, "k")


async def test_a_registry_that_is_away_is_told_as_such() -> None:
    async with open_channel("127.0.0.1:1", service=SERVICE) as channel:
        tokens = ServiceTokenSource(key=new_signing_key(), audience="registry", clock=SystemClock())
        backend = RegistrySecrets(channel=channel, tokens=tokens)
        with pytest.raises(RegistryUnavailableError):
            await backend.get(invocation_of(grant_of(SECRETS_GET)), "k")
