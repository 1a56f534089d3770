"""What becomes of the records when an extension is uninstalled."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from shared.errors import ArgumentInvalidError, InstallNotFoundError, InvocationGrantInvalidError
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import secrets_service_pb2, storage_service_pb2
from tests.fixtures.grant_holders import Holder, holder_of
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import RegistryUnderTest, new_tenant

DELETE, KEEP = pb.DATA_POLICY_DELETE, pb.DATA_POLICY_KEEP


@pytest.fixture(scope="module")
async def extension(registry: RegistryUnderTest) -> str:
    await registry.publish(name="leaving", capabilities=["cap:storage.kv", "cap:secrets.get"])
    return "acme.leaving"


@pytest.fixture
async def holder(registry: RegistryUnderTest, extension: str) -> Holder:
    tenant = new_tenant()
    await registry.install(tenant, extension)
    made = await holder_of(registry, tenant, extension)
    await made.put("k", b"kept?")
    return made


@pytest.fixture
async def owner(database: TestDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.owner_dsn)
    yield connection
    await connection.close()


async def uninstall(
    holder: Holder, policy: Any = pb.DATA_POLICY_UNSPECIFIED, extension: str = "acme.leaving"
) -> bool:
    request = pb.UninstallRequest(
        tenant_id=str(holder.grant.tenant_id), extension=extension, data_policy=policy
    )
    changed: bool = (
        await holder.registry.call(holder.registry.installs.Uninstall, request)
    ).changed
    return changed


async def again(holder: Holder) -> Holder:
    await holder.registry.install(holder.grant.tenant_id, "acme.leaving")
    return await holder_of(holder.registry, holder.grant.tenant_id, "acme.leaving")


async def rows(owner: Any, holder: Holder) -> int:
    return sum(
        [
            await owner.fetchval(
                f"select count(*) from {table} where tenant_id = $1",  # noqa: S608 - these two
                holder.grant.tenant_id,
            )
            for table in ("ext_storage_records", "ext_storage_usage")
        ]
    )


@pytest.mark.parametrize("policy", [pb.DATA_POLICY_UNSPECIFIED, DELETE])
async def test_records_go_with_the_install_unless_they_are_kept(
    holder: Holder, owner: Any, policy: Any
) -> None:
    assert await uninstall(holder, policy)
    assert await rows(owner, holder) == 0
    assert await (await again(holder)).keys() == []


async def test_kept_records_wait_for_the_next_install(holder: Holder, owner: Any) -> None:
    assert await uninstall(holder, KEEP)
    assert await rows(owner, holder) == 2
    back = await again(holder)
    assert back.grant.install_id != holder.grant.install_id
    entry = await back.get("k")
    assert (entry.value, entry.revision) == (b"kept?", 1)
    assert (await back.put("k", b"on", if_revision=1)).revision == 2
    await back.delete("k")
    assert await rows(owner, holder) == 0  # counted on from where it was


async def test_kept_records_are_nobody_elses(
    holder: Holder, registry: RegistryUnderTest, extension: str
) -> None:
    await uninstall(holder, KEEP)
    other = new_tenant()
    await registry.install(other, extension)
    assert await (await holder_of(registry, other, extension)).keys() == []
    await registry.publish(name="leaving-not")
    await registry.install(holder.grant.tenant_id, "acme.leaving-not")
    neighbour = await holder_of(registry, holder.grant.tenant_id, "acme.leaving-not")
    assert await neighbour.keys() == []


async def test_an_old_grant_reaches_nothing_after_the_uninstall(holder: Holder) -> None:
    await uninstall(holder, KEEP)
    back = await again(holder)
    assert await holder.keys() == []
    for late in (holder.put("k", b"late"), holder.delete("k")):
        with pytest.raises(InvocationGrantInvalidError, match="gone"):
            await late
    assert (await back.get("k")).value == b"kept?"


@pytest.mark.parametrize("by_id", [False, True])
async def test_kept_records_can_be_deleted_later(
    holder: Holder, owner: Any, *, by_id: bool
) -> None:
    await uninstall(holder, KEEP)
    named = str(holder.grant.registry_id) if by_id else "acme.leaving"
    assert not await uninstall(holder, KEEP, named)
    assert await rows(owner, holder) == 2
    assert await uninstall(holder, DELETE, named)
    assert await rows(owner, holder) == 0
    assert not await uninstall(holder, DELETE, named)


async def test_secrets_never_outlive_the_install(holder: Holder) -> None:
    secrets = secrets_service_pb2
    request = secrets.SetSecretsRequest(
        tenant_id=str(holder.grant.tenant_id),
        extension="acme.leaving",
        secrets=[secrets.SecretValue(key="k", value="v")],
    )
    await holder.registry.call(holder.registry.secrets.SetSecrets, request)
    await uninstall(holder, KEEP)
    assert await (await again(holder)).secret_keys() == []


async def test_an_unknown_policy_removes_nothing(holder: Holder) -> None:
    with pytest.raises(ArgumentInvalidError, match="policy"):
        await uninstall(holder, 7)
    assert await holder.keys() == ["k"]


async def test_another_tenants_uninstall_touches_nothing(holder: Holder) -> None:
    stranger = holder.with_grant(tenant_id=new_tenant())
    for named in ("acme.leaving", str(holder.grant.install_id), str(holder.grant.registry_id)):
        assert not await uninstall(stranger, DELETE, named)
    assert await holder.keys() == ["k"]


@pytest.mark.parametrize("named", ["install", "registry", "nobody.none", str(uuid.uuid4())])
async def test_the_records_of_another_tenant_cannot_be_exported(holder: Holder, named: str) -> None:
    extension = {
        "install": str(holder.grant.install_id), "registry": str(holder.grant.registry_id),
    }.get(named, named)  # fmt: skip
    request = storage_service_pb2.ExportEntriesRequest(
        tenant_id=str(new_tenant()), extension=extension
    )
    with pytest.raises(InstallNotFoundError, match="no such install"):
        await holder.registry.stream(holder.registry.storage.ExportEntries, request)
