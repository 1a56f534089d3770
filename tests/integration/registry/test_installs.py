"""Installing for a tenant over the wire, and resolving for a gateway."""

import asyncio
import hashlib
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.clock import SystemClock
from shared.errors import (
    ArgumentInvalidError,
    BundleUntrustedError,
    CapabilityNotRequestedError,
    ConfigInvalidError,
    ForbiddenError,
    InstallExistsError,
    InstallNotFoundError,
    PageTokenInvalidError,
    RegistryEntryNotFoundError,
    VersionNotFoundError,
)
from shared.identifiers import TenantId
from shared.pb.registry.v1 import install_pb2, registry_service_pb2
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.tokens.invocation_grant import GRANT_LIFETIME, ROLE, InvocationGrantVerifier
from shared.tokens.keys import VerifyingKey
from shared.tokens.service_token import ServiceRole
from shared.trust.keys import generate_key, public_pem
from tests.fixtures.postgres import NewDatabase
from tests.fixtures.registry import (
    NewRegistryHome,
    RegistryUnderTest,
    new_tenant,
    registry_on,
)

LARGE = f'{{"a":"{"x" * 65536}"}}'
DEFAULTS = {"cap:context.read", "cap:log.emit", "cap:user.read"}
ENABLED = install_pb2.TenantInstall.STATUS_ENABLED
DISABLED = install_pb2.TenantInstall.STATUS_DISABLED


@pytest.fixture
async def extension(registry: RegistryUnderTest) -> str:
    """An extension of its own, published at 1.0.0, that asks for storage and for secrets."""
    name = f"x{uuid4().hex}"
    await registry.publish(name=name, capabilities=["storage.kv", "secrets.get"])
    return f"acme.{name}"


@pytest.fixture
def tenant() -> TenantId:
    return new_tenant()


async def install(
    registry: RegistryUnderTest, tenant: TenantId, extension: str, **fields: Any
) -> pb.InstallResponse:
    request = pb.InstallRequest(tenant_id=str(tenant), extension=extension, **fields)
    answer = await registry.call(registry.installs.Install, request)
    assert isinstance(answer, pb.InstallResponse)
    return answer


async def update(
    registry: RegistryUnderTest, tenant: TenantId, extension: str, **fields: Any
) -> pb.UpdateResponse:
    request = pb.UpdateRequest(tenant_id=str(tenant), extension=extension, **fields)
    answer = await registry.call(registry.installs.Update, request)
    assert isinstance(answer, pb.UpdateResponse)
    return answer


def grant(*capabilities: str) -> pb.CapabilityGrant:
    return pb.CapabilityGrant(capabilities=capabilities)


async def test_an_install_gets_what_the_version_asks_for(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    answer = await install(registry, tenant, extension)
    made = answer.install
    assert answer.changed
    assert not answer.warnings
    assert (made.status, made.version, made.config_json) == (ENABLED, "1.0.0", "{}")
    assert set(made.granted_capabilities) == {"cap:storage.kv", "cap:secrets.get", *DEFAULTS}
    get = pb.GetInstallRequest(tenant_id=str(tenant), extension=extension)
    assert (await registry.call(registry.installs.GetInstall, get)).install == made


async def test_a_grant_narrows_and_never_widens(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    with pytest.raises(CapabilityNotRequestedError, match="http"):
        await install(registry, tenant, extension, grant=grant("http.fetch", "storage.kv"))
    with pytest.raises(ArgumentInvalidError, match="Did you mean"):
        await install(registry, tenant, extension, grant=grant("storage.kw"))
    made = (await install(registry, tenant, extension, grant=grant(" Storage.KV "))).install
    assert set(made.granted_capabilities) == {"cap:storage.kv", *DEFAULTS}
    none = (await install(registry, tenant, extension, grant=grant())).install
    assert set(none.granted_capabilities) == DEFAULTS


async def test_installing_again_keeps_what_the_request_does_not_set(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    first = await install(
        registry, tenant, extension, grant=grant("storage.kv"), config_json='{"b": 1, "a": [2.5]}'
    )
    again = await install(registry, tenant, extension)
    assert (again.changed, again.install) == (False, first.install)
    assert again.install.config_json == '{"a":[2.5],"b":1}'
    changed = await install(registry, tenant, extension, config_json='{"a":1}')
    assert changed.changed
    assert changed.install.install_id == first.install.install_id
    assert changed.install.config_json == '{"a":1}'
    assert changed.install.granted_capabilities == first.install.granted_capabilities


async def test_another_version_is_reached_by_update_only(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    await install(registry, tenant, extension, config_json='{"kept":true}')
    await registry.publish(
        name=extension.removeprefix("acme."),
        version="1.1.0",
        capabilities=["storage.kv", "http.fetch"],
    )
    with pytest.raises(InstallExistsError, match=r"1\.0\.0"):
        await install(registry, tenant, extension)
    moved = (await update(registry, tenant, extension, keep_grants=True)).install
    assert (moved.version, moved.config_json) == ("1.1.0", '{"kept":true}')
    assert set(moved.granted_capabilities) == {"cap:storage.kv", *DEFAULTS}
    wider = (
        await update(registry, tenant, extension, grant=grant("storage.kv", "http.fetch"))
    ).install
    assert "cap:http.fetch" in wider.granted_capabilities
    back = (
        await update(
            registry,
            tenant,
            extension,
            version="1.0.0",
            grant=grant("storage.kv"),
            keep_grants=True,
        )
    ).install
    assert (back.version, back.install_id) == ("1.0.0", moved.install_id)
    with pytest.raises(VersionNotFoundError):
        await update(registry, tenant, extension, version="9.0.0")


async def test_what_cannot_be_installed_is_told(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    with pytest.raises(RegistryEntryNotFoundError):
        await install(registry, tenant, "no.such")
    with pytest.raises(VersionNotFoundError):
        await install(registry, tenant, extension, version="7.7.7")
    request = pb.InstallRequest(tenant_id="1' or '1'='1", extension=extension)
    with pytest.raises(ArgumentInvalidError, match="tenant_id"):
        await registry.call(registry.installs.Install, request)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[]",
        "null",
        '{"a":1,"a":2}',
        '{"a":NaN}',
        "{" * 99,
        LARGE,
        "{'a':1}",
    ],
    ids=["empty", "list", "null", "duplicate", "NaN", "deep", "large", "quotes"],
)
async def test_a_config_is_a_bounded_json_object(
    registry: RegistryUnderTest, tenant: TenantId, extension: str, config: str
) -> None:
    with pytest.raises(ConfigInvalidError) as told:
        await install(registry, tenant, extension, config_json=config)
    assert "xxx" not in str(told.value)


async def test_a_deprecated_version_installs_with_a_warning(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    await registry.call(
        registry.catalogue.Deprecate,
        registry_service_pb2.DeprecateRequest(
            extension=extension, version="1.0.0", reason="It is slow."
        ),
    )
    answer = await install(registry, tenant, extension)
    assert list(answer.warnings) == ["Version 1.0.0 is deprecated: It is slow."]


async def test_disabled_install_is_not_resolved(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    made = await registry.install(tenant, extension)
    disable = pb.DisableRequest(tenant_id=str(tenant), extension=made.install_id)
    for _ in range(2):
        answer = await registry.call(registry.installs.Disable, disable)
        assert answer.install.status == DISABLED
    with pytest.raises(InstallNotFoundError):
        await registry.resolve(tenant, extension)
    enable = pb.EnableRequest(tenant_id=str(tenant), extension=made.registry_id)
    assert (await registry.call(registry.installs.Enable, enable)).install.status == ENABLED
    assert (await registry.resolve(tenant, extension)).install.install_id == made.install_id


async def test_uninstall_is_idempotent_and_a_new_install_starts_afresh(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    first = (await install(registry, tenant, extension, config_json='{"a":1}')).install
    request = pb.UninstallRequest(tenant_id=str(tenant), extension=extension)
    assert (await registry.call(registry.installs.Uninstall, request)).changed
    assert not (await registry.call(registry.installs.Uninstall, request)).changed
    second = (await install(registry, tenant, extension)).install
    assert second.install_id != first.install_id
    assert second.config_json == "{}"


async def test_resolving_finds_the_install_by_every_name_and_grants_exactly_it(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    made = (
        await install(
            registry, tenant, extension, grant=grant("storage.kv"), config_json='{"ü":"\\u20ac"}'
        )
    ).install
    key = registry.home.grant_key
    verifier = InvocationGrantVerifier(
        keys={key.key_id: VerifyingKey(key.private.public_key(), ROLE)}, clock=SystemClock()
    )
    for named in (made.install_id, made.registry_id, extension, extension.upper()):
        answer = await registry.resolve(tenant, named)
        assert answer.install == made
        endpoint = answer.endpoints[0]
        assert (endpoint.method, endpoint.path, endpoint.handler) == ("GET", "/agreements", "list")
        given = verifier.verify(answer.invocation_grant)
        assert (given.tenant_id, given.install_id) == (tenant, UUID(made.install_id))
        assert (given.publisher, given.version) == ("acme", "1.0.0")
        assert given.content_hash == made.content_hash
        assert given.capabilities == set(made.granted_capabilities)
        assert given.config_digest == hashlib.sha256(made.config_json.encode()).hexdigest()
        left = answer.grant_expires_at.ToDatetime() - SystemClock().now().replace(tzinfo=None)
        assert GRANT_LIFETIME.total_seconds() / 2 <= left.total_seconds() <= 25
        envelope = (
            registry.home.root / "bundles" / "sha256" / made.content_hash.removeprefix("sha256:")
        ) / f"{given.signature_digest}.dsse.json"
        assert hashlib.sha256(envelope.read_bytes()).hexdigest() == given.signature_digest
    assert json.loads(made.config_json) == {"ü": "€"}


async def test_a_changed_install_gets_another_grant_at_once(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    await install(registry, tenant, extension)
    first = await registry.resolve(tenant, extension)
    assert (await registry.resolve(tenant, extension)).invocation_grant == first.invocation_grant
    await install(registry, tenant, extension, config_json='{"a":1}')
    second = await registry.resolve(tenant, extension)
    assert second.invocation_grant != first.invocation_grant
    assert second.install.config_json == '{"a":1}'


async def test_of_parallel_installs_one_changes_and_all_agree(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    answers = await asyncio.gather(*(install(registry, tenant, extension) for _ in range(8)))
    assert sum(answer.changed for answer in answers) == 1
    assert len({answer.install.install_id for answer in answers}) == 1


async def test_installs_are_listed_page_by_page(
    registry: RegistryUnderTest, tenant: TenantId
) -> None:
    names = sorted(f"x{uuid4().hex}" for _ in range(5))
    for name in names:
        await registry.publish(name=name)
        await registry.install(tenant, f"acme.{name}")
    pages: list[list[str]] = []
    tokens = [""]
    while len(pages) < len(tokens):
        request = pb.ListInstallsRequest(tenant_id=str(tenant), page_size=2, page_token=tokens[-1])
        answer = await registry.call(registry.installs.ListInstalls, request)
        pages.append([each.name for each in answer.installs])
        if answer.next_page_token:
            tokens.append(answer.next_page_token)
    assert pages == [names[:2], names[2:4], names[4:]]
    other = pb.ListInstallsRequest(tenant_id=str(uuid4()), page_token=tokens[-1])
    with pytest.raises(PageTokenInvalidError):
        await registry.call(registry.installs.ListInstalls, other)
    large = pb.ListInstallsRequest(tenant_id=str(tenant), page_size=201)
    with pytest.raises(ArgumentInvalidError):
        await registry.call(registry.installs.ListInstalls, large)


async def test_only_a_gateway_resolves_and_only_an_operator_installs(
    registry: RegistryUnderTest, tenant: TenantId, extension: str
) -> None:
    resolve = pb.ResolveInstallRequest(tenant_id=str(tenant), extension=extension)
    request = pb.InstallRequest(tenant_id=str(tenant), extension=extension)
    for method, asked, role in (
        (registry.installs.ResolveInstall, resolve, ServiceRole.OPERATOR),
        (registry.installs.ResolveInstall, resolve, ServiceRole.RUNNER),
        (registry.installs.Install, request, ServiceRole.GATEWAY),
        (registry.installs.Install, request, ServiceRole.RUNNER),
    ):
        with pytest.raises(ForbiddenError):
            await registry.call(method, asked, role=role)


async def test_the_signature_is_judged_again_under_the_trust_of_the_day(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    home, database, tenant = new_registry_home(), await new_database(), new_tenant()
    async with registry_on(home, database) as registry:
        published = await registry.publish()
    (home.root / "trust.pem").write_bytes(public_pem(generate_key()))
    async with registry_on(home, database) as registry:
        with pytest.raises(BundleUntrustedError):
            await registry.install(tenant)
    (home.root / "trust.pem").write_bytes(public_pem(home.publisher_key))
    folder = home.root / "bundles" / "sha256" / published.content_hash.removeprefix("sha256:")
    envelope = next(folder.glob("*.dsse.json"))
    envelope.chmod(0o644)
    envelope.write_bytes(envelope.read_bytes() + b" ")
    async with registry_on(home, database) as registry:
        with pytest.raises(BundleUntrustedError, match="not the one that was published"):
            await registry.install(tenant)
        envelope.unlink()
        with pytest.raises(BundleUntrustedError, match="missing"):
            await registry.install(tenant)
