"""Every call that names an install, with the ids of another tenant: as if there were none."""

import uuid
from typing import Any, NamedTuple

import pytest

from shared.errors import ExtensionError
from shared.identifiers import TenantId
from shared.pb.registry.v1 import execution_log_service_pb2, install_service_pb2
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.tokens.service_token import ServiceRole
from tests.fixtures.registry import RegistryUnderTest, new_tenant


class Scene(NamedTuple):
    registry: RegistryUnderTest
    owner: TenantId
    stranger: TenantId
    install: Any


@pytest.fixture(scope="module")
async def scene(registry: RegistryUnderTest) -> Scene:
    await registry.publish(name="private")
    owner = new_tenant()
    return Scene(registry, owner, new_tenant(), await registry.install(owner, "acme.private"))


METHODS = {
    "GetInstall": ServiceRole.OPERATOR,
    "Enable": ServiceRole.OPERATOR,
    "Disable": ServiceRole.OPERATOR,
    "Update": ServiceRole.OPERATOR,
    "Uninstall": ServiceRole.OPERATOR,
    "ResolveInstall": ServiceRole.GATEWAY,
}


async def outcome(scene: Scene, method: str, extension: str) -> tuple[Any, ...]:
    """All that a stranger learns."""
    request = getattr(pb, f"{method}Request")(tenant_id=str(scene.stranger), extension=extension)
    try:
        answer = await scene.registry.call(
            getattr(scene.registry.installs, method), request, role=METHODS[method]
        )
    except ExtensionError as error:
        return (error.reason, error.message, dict(error.metadata), error.faults)
    return (answer.SerializeToString(),)


def test_every_method_that_names_an_install_is_here() -> None:
    service = install_service_pb2.DESCRIPTOR.services_by_name["InstallService"]
    named = {
        method.name for method in service.methods if "extension" in method.input_type.fields_by_name
    }
    assert named == {*METHODS, "Install"}  # Install names an entry, which belongs to nobody


@pytest.mark.parametrize("method", METHODS)
async def test_what_is_not_yours_is_answered_like_what_is_not_there(
    scene: Scene, method: str
) -> None:
    nowhere = await outcome(scene, method, str(uuid.uuid4()))
    for named in (scene.install.install_id, scene.install.registry_id, "acme.private"):
        assert await outcome(scene, method, named) == nowhere
    assert await outcome(scene, method, "no.such") == nowhere


async def test_the_owner_notices_nothing_of_it(scene: Scene) -> None:
    for method in METHODS:
        await outcome(scene, method, scene.install.install_id)
    request = pb.GetInstallRequest(tenant_id=str(scene.owner), extension=scene.install.install_id)
    answer = await scene.registry.call(scene.registry.installs.GetInstall, request)
    assert answer.install == scene.install


async def test_lists_show_a_tenant_its_own_only(scene: Scene) -> None:
    listed = await scene.registry.call(
        scene.registry.installs.ListInstalls,
        pb.ListInstallsRequest(tenant_id=str(scene.stranger)),
    )
    assert not listed.installs
    log = execution_log_service_pb2
    executions = await scene.registry.call(
        scene.registry.log.ListExecutions,
        log.ListExecutionsRequest(
            tenant_id=str(scene.stranger), extension=scene.install.registry_id
        ),
    )
    assert not executions.executions


async def test_installing_what_another_tenant_has_is_a_new_install(scene: Scene) -> None:
    other = new_tenant()
    made = await scene.registry.install(other, "acme.private")
    assert made.install_id != scene.install.install_id
    request = pb.UninstallRequest(tenant_id=str(other), extension="acme.private")
    assert (await scene.registry.call(scene.registry.installs.Uninstall, request)).changed
    assert (await scene.registry.resolve(scene.owner, "acme.private")).install == scene.install
