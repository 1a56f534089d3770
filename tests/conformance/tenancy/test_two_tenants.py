"""Every RPC of the registry, with the ids of another tenant: as if there were none.

The tables name every RPC. One that is new and stands in none of them fails the first test.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import grpc
import pytest

from registry_service.rpc.roles import SERVICES
from shared.errors import ExtensionError, RegistryUnavailableError
from shared.identifiers import TenantId
from shared.pb.registry.v1 import (
    execution_log_service_pb2,
    install_pb2,
    install_service_pb2,
    publisher_service_pb2,
    registry_service_pb2,
    secrets_service_pb2,
    storage_service_pb2,
)
from shared.rpc.metadata import call_metadata
from shared.rpc.status import to_error
from shared.tokens.service_token import ServiceRole
from tests.fixtures.grant_holders import Holder, holder_of
from tests.fixtures.registry import RegistryUnderTest, new_tenant

PROTOS: Final = (
    execution_log_service_pb2, install_service_pb2, publisher_service_pb2, registry_service_pb2,
    secrets_service_pb2, storage_service_pb2,
)  # fmt: skip
OF_NO_TENANT: Final = {
    "RegistryService": "the catalogue is everybody's",
    "PublisherService": "publishers are everybody's",
    "InstallService.WatchInstalls": "tells the platform's own services of all tenants",
}
# What names an install by `tenant_id` and `extension`: with more fields, and the role that may.
NAMES_AN_INSTALL: Final[Mapping[str, tuple[ServiceRole, Mapping[str, Any]]]] = {
    "InstallService.GetInstall": (ServiceRole.OPERATOR, {}),
    "InstallService.Enable": (ServiceRole.OPERATOR, {}),
    "InstallService.Disable": (ServiceRole.OPERATOR, {}),
    "InstallService.Update": (ServiceRole.OPERATOR, {"keep_grants": True}),
    "InstallService.Rollback": (ServiceRole.OPERATOR, {"revision": 1}),
    "InstallService.ListRevisions": (ServiceRole.OPERATOR, {}),
    "InstallService.SetConfig": (ServiceRole.OPERATOR, {"config_json": '{"taken":true}'}),
    "InstallService.SetEgressRules": (
        ServiceRole.OPERATOR,
        {"egress_rules": [install_pb2.EgressRule(scheme="https", host="a.example.com")]},
    ),
    "InstallService.Uninstall": (ServiceRole.OPERATOR, {}),
    "InstallService.ResolveInstall": (ServiceRole.GATEWAY, {}),
    "SecretsService.SetSecrets": (
        ServiceRole.OPERATOR,
        {"secrets": [secrets_service_pb2.SecretValue(key="k1", value="v")]},
    ),
    "SecretsService.DeleteSecret": (ServiceRole.OPERATOR, {"key": "k1"}),
    "SecretsService.ListSecrets": (ServiceRole.OPERATOR, {}),
    "StorageService.ExportEntries": (ServiceRole.OPERATOR, {}),
    "ExecutionLogService.ListExecutions": (ServiceRole.OPERATOR, {}),
}
# What names an entry of the catalogue, which belongs to nobody, for a tenant.
NAMES_AN_ENTRY: Final = ("InstallService.Install", "InstallService.Plan")
# What is about a tenant as a whole.
OF_A_TENANT: Final[Mapping[str, Mapping[str, Any]]] = {
    "InstallService.ListInstalls": {},
    "InstallService.GetTenantPolicy": {},
    "InstallService.SetTenantPolicy": {},
}
# What takes the tenant from an invocation grant and from nowhere else: each has a test below.
UNDER_A_GRANT: Final = {
    "StorageService.GetEntry", "StorageService.PutEntry", "StorageService.PutEntries",
    "StorageService.DeleteEntry", "StorageService.ListEntries", "SecretsService.GetSecret",
    "SecretsService.ListSecretKeys", "ExecutionLogService.RecordExecutions",
}  # fmt: skip
CANARY: Final = "canary-5eb1"


class Scene(NamedTuple):
    registry: RegistryUnderTest
    owner: TenantId
    stranger: TenantId
    install: install_pb2.TenantInstall
    owners: Holder
    strangers: Holder


@pytest.fixture(scope="module")
async def scene(registry: RegistryUnderTest) -> Scene:
    """An owner with one of everything, and a stranger with an install of another extension."""
    owner, stranger = new_tenant(), new_tenant()
    capabilities = ["storage.kv", "secrets.get"]
    await registry.publish(name="private", capabilities=capabilities)
    await registry.publish(name="own", capabilities=capabilities)
    install = await registry.install(owner, "acme.private")
    await registry.install(stranger, "acme.own")
    secrets = secrets_service_pb2.SetSecretsRequest(
        tenant_id=str(owner),
        extension="acme.private",
        secrets=[secrets_service_pb2.SecretValue(key="k1", value=CANARY)],
    )
    await registry.call(registry.secrets.SetSecrets, secrets)
    owners = await holder_of(registry, owner, "acme.private")
    for number in range(3):
        await owners.put(f"k{number}", CANARY.encode())
    await owners.call(registry.log.RecordExecutions, execution_of(owners, CANARY))
    strangers = await holder_of(registry, stranger, "acme.own")
    return Scene(registry, owner, stranger, install, owners, strangers)


def execution_of(holder: Holder, request_id: str) -> Any:
    log = execution_log_service_pb2
    execution = log.FinishedExecution(
        execution_id=str(uuid.uuid4()),
        invocation_grant=holder.grant_token,
        request_id=request_id,
        status=log.EXECUTION_STATUS_OK,
    )
    execution.started_at.GetCurrentTime()
    execution.finished_at.GetCurrentTime()
    return log.RecordExecutionsRequest(executions=[execution])


def methods() -> dict[str, Any]:
    """Every RPC, as "Service.Method", with its descriptor."""
    return {
        f"{name}.{method.name}": method
        for proto in PROTOS
        for name, service in proto.DESCRIPTOR.services_by_name.items()
        for method in service.methods
    }


async def told(scene: Scene, rpc: str, role: ServiceRole, request: Any) -> tuple[Any, ...]:
    """All that a caller learns: the answer's bytes, or everything that an error tells."""
    service, _, method = rpc.partition(".")
    registry = scene.registry
    stubs = {
        "InstallService": registry.installs, "SecretsService": registry.secrets,
        "StorageService": registry.storage, "ExecutionLogService": registry.log,
    }  # fmt: skip
    call: Callable[..., Any] = getattr(stubs[service], method)
    try:
        if methods()[rpc].server_streaming:
            metadata = call_metadata(token=registry._tokens[role].token())
            try:
                return tuple(
                    [part.SerializeToString() async for part in call(request, metadata=metadata)]
                )
            except grpc.RpcError as failed:
                raise to_error(failed, RegistryUnavailableError) from None
        return ((await registry.call(call, request, role=role)).SerializeToString(),)
    except ExtensionError as error:
        return (error.reason, error.code, error.message, dict(error.metadata), error.faults)


def request_of(rpc: str, tenant_id: TenantId, **fields: Any) -> Any:
    descriptor = methods()[rpc].input_type
    proto = next(each for each in PROTOS if each.DESCRIPTOR.name == descriptor.file.name)
    return getattr(proto, descriptor.name)(tenant_id=str(tenant_id), **fields)


async def state_of(scene: Scene, tenant_id: TenantId, extension: str) -> list[tuple[Any, ...]]:
    """All that a tenant can see of what it has."""
    named = [
        "InstallService.GetInstall", "InstallService.ListRevisions", "SecretsService.ListSecrets",
        "StorageService.ExportEntries", "ExecutionLogService.ListExecutions",
    ]  # fmt: skip
    requests = {rpc: request_of(rpc, tenant_id, extension=extension) for rpc in named} | {
        rpc: request_of(rpc, tenant_id)
        for rpc in ("InstallService.ListInstalls", "InstallService.GetTenantPolicy")
    }
    return [
        await told(scene, rpc, ServiceRole.OPERATOR, request) for rpc, request in requests.items()
    ]


def test_every_rpc_stands_in_one_of_the_tables() -> None:
    assert {service.rpartition(".")[2] for service in SERVICES} == {
        rpc.partition(".")[0] for rpc in methods()
    }
    tables = [set(NAMES_AN_INSTALL), set(NAMES_AN_ENTRY), set(OF_A_TENANT), UNDER_A_GRANT]
    for rpc, method in methods().items():
        if rpc in OF_NO_TENANT or rpc.partition(".")[0] in OF_NO_TENANT:
            assert "tenant_id" not in method.input_type.fields_by_name, rpc
            continue
        assert sum(rpc in table for table in tables) == 1, rpc
        assert (rpc in UNDER_A_GRANT) != ("tenant_id" in method.input_type.fields_by_name), rpc


@pytest.mark.parametrize("rpc", NAMES_AN_INSTALL)
async def test_what_is_not_yours_is_answered_like_what_is_not_there(scene: Scene, rpc: str) -> None:
    role, fields = NAMES_AN_INSTALL[rpc]

    async def outcome(extension: str) -> tuple[Any, ...]:
        request = request_of(rpc, scene.stranger, extension=extension, **fields)
        return await told(scene, rpc, role, request)

    before = await state_of(scene, scene.owner, "acme.private")
    nowhere = await outcome(str(uuid.uuid4()))
    for named in (scene.install.install_id, scene.install.registry_id, "acme.private"):
        assert await outcome(named) == nowhere
    assert await outcome("no.such") == nowhere
    assert CANARY not in repr(nowhere)
    assert await state_of(scene, scene.owner, "acme.private") == before


@pytest.mark.parametrize("rpc", NAMES_AN_ENTRY)
async def test_an_entry_can_be_had_by_anybody_whoever_has_it_already(
    scene: Scene, rpc: str
) -> None:
    before = await state_of(scene, scene.owner, "acme.private")
    operator = ServiceRole.OPERATOR
    foreign, nowhere = [
        await told(scene, rpc, operator, request_of(rpc, scene.stranger, extension=named))
        for named in (scene.install.install_id, str(uuid.uuid4()))
    ]
    assert foreign == nowhere
    other = new_tenant()
    request = request_of(rpc, other, extension="acme.private")
    answer = await told(scene, rpc, operator, request)
    assert len(answer) == 1
    assert scene.install.install_id.encode() not in answer[0]
    assert await state_of(scene, scene.owner, "acme.private") == before


@pytest.mark.parametrize("rpc", OF_A_TENANT)
async def test_what_is_about_one_tenant_shows_and_changes_no_other(scene: Scene, rpc: str) -> None:
    before = await state_of(scene, scene.owner, "acme.private")
    fields = dict(OF_A_TENANT[rpc])
    if rpc == "InstallService.SetTenantPolicy":
        fields["signing_policy"] = install_service_pb2.SIGNING_POLICY_REQUIRE
    request = request_of(rpc, scene.stranger, **fields)
    answer = await told(scene, rpc, ServiceRole.OPERATOR, request)
    assert len(answer) == 1
    for secret in (scene.install.install_id, str(scene.owner), "acme.private", CANARY):
        assert secret.encode() not in answer[0]
    assert await state_of(scene, scene.owner, "acme.private") == before


async def test_a_page_token_of_another_tenant_is_none(scene: Scene) -> None:
    first = await scene.owners.page(page_size=1)
    assert first.next_page_token
    for token in (first.next_page_token, "forged"):
        with pytest.raises(ExtensionError) as refused:
            await scene.strangers.page(page_token=token)
        assert refused.value.reason == "PAGE_TOKEN_INVALID"


async def under_a_grant(holder: Holder, key: str) -> list[tuple[Any, ...]]:
    """All that a runner learns under a grant of records and secrets of this key."""
    pb, registry = storage_service_pb2, holder.registry
    calls = [
        (registry.storage.GetEntry, pb.GetEntryRequest(namespace="n", key=key)),
        (registry.storage.DeleteEntry, pb.DeleteEntryRequest(namespace="n", key=key)),
        (
            registry.storage.DeleteEntry,
            pb.DeleteEntryRequest(namespace="n", key=key, if_revision=1),
        ),
        (
            registry.storage.PutEntry,
            pb.PutEntryRequest(namespace="n", key=key, value=b"x", if_revision=1),
        ),
        (
            registry.storage.PutEntries,
            pb.PutEntriesRequest(
                namespace="n", writes=[pb.EntryWrite(key=key, value=b"x", if_revision=1)]
            ),
        ),
        (registry.storage.ListEntries, pb.ListEntriesRequest(namespace="n", key_prefix=key)),
        (registry.secrets.GetSecret, secrets_service_pb2.GetSecretRequest(key=key)),
        (registry.secrets.ListSecretKeys, secrets_service_pb2.ListSecretKeysRequest()),
    ]
    outcomes: list[tuple[Any, ...]] = []
    for method, request in calls:
        try:
            outcomes.append(((await holder.call(method, request)).SerializeToString(),))
        except ExtensionError as error:
            message = error.message.replace(key, "KEY")
            metadata = {name: v.replace(key, "KEY") for name, v in error.metadata.items()}
            outcomes.append((error.reason, message, metadata, error.faults))
    return outcomes


async def test_a_grant_reaches_nothing_of_another_tenant(scene: Scene) -> None:
    before = await state_of(scene, scene.owner, "acme.private")
    nowhere = await under_a_grant(scene.strangers, "z9")
    for key in ("k0", "k1"):
        assert await under_a_grant(scene.strangers, key) == nowhere
    assert CANARY not in repr(nowhere)
    await scene.strangers.put("k0", b"mine")
    await scene.strangers.delete("k0")
    assert await state_of(scene, scene.owner, "acme.private") == before
    assert (await scene.owners.get("k0")).value == CANARY.encode()


async def test_an_execution_is_recorded_for_whom_its_grant_names(scene: Scene) -> None:
    before = await state_of(scene, scene.owner, "acme.private")
    registry = scene.registry
    mark = uuid.uuid4().hex
    await scene.strangers.call(registry.log.RecordExecutions, execution_of(scene.strangers, mark))
    assert await state_of(scene, scene.owner, "acme.private") == before
    for tenant_id, count in ((scene.owner, 0), (scene.stranger, 1)):
        request = execution_log_service_pb2.ListExecutionsRequest(
            tenant_id=str(tenant_id), request_id=mark
        )
        found = await registry.call(registry.log.ListExecutions, request)
        assert len(found.executions) == count


async def test_installing_what_another_tenant_has_is_a_new_install(scene: Scene) -> None:
    other = new_tenant()
    made = await scene.registry.install(other, "acme.private")
    assert made.install_id != scene.install.install_id
    request = install_service_pb2.UninstallRequest(tenant_id=str(other), extension="acme.private")
    assert (await scene.registry.call(scene.registry.installs.Uninstall, request)).changed
    assert (await scene.registry.resolve(scene.owner, "acme.private")).install == scene.install
