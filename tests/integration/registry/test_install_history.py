"""Every change of an install is a revision, and every revision is a way back."""

import asyncio
from typing import Any

import pytest

from shared.errors import (
    ArgumentInvalidError,
    BundleUntrustedError,
    InstallNotFoundError,
    PageTokenInvalidError,
    RevisionNotFoundError,
    VersionQuarantinedError,
)
from shared.pb.registry.v1 import install_pb2, registry_service_pb2
from shared.trust.keys import generate_key, public_pem
from tests.fixtures.postgres import NewDatabase
from tests.fixtures.registry import (
    NewRegistryHome,
    RegistryUnderTest,
    registry_on,
)
from tests.fixtures.tenants import TenantUnderTest, grant

RULE = install_pb2.EgressRule(scheme="https", host="api.example.com")
ENABLED = install_pb2.TenantInstall.STATUS_ENABLED
DISABLED = install_pb2.TenantInstall.STATUS_DISABLED


@pytest.fixture
async def tenant(registry: RegistryUnderTest) -> TenantUnderTest:
    """A tenant and an extension at 1.0.0 and 1.1.0."""
    tenant = TenantUnderTest(registry)
    await tenant.publish("1.0.0", "storage.kv")
    await tenant.publish("1.1.0", "storage.kv", "http.fetch")
    return tenant


async def live(tenant: TenantUnderTest) -> None:
    """Seven revisions: one of each action but the rollback."""
    await tenant.install(version="1.0.0", config_json='{"n":1}', actor="a1")
    await tenant.install(version="1.0.0", grant=grant(), actor="a2")
    await tenant.ask("SetConfig", config_json='{"n":2}', actor="a3")
    await tenant.ask("SetEgressRules", egress_rules=[RULE], actor="a4")
    await tenant.ask("Disable", actor="a5")
    await tenant.ask("Enable", actor="a6")
    await tenant.ask("Update", grant=grant("storage.kv", "http.fetch"), actor="a7")


async def test_every_change_is_told_with_who_and_what(tenant: TenantUnderTest) -> None:
    await live(tenant)
    revisions = list(reversed(await tenant.revisions()))
    assert [(each.revision, each.actor, each.action) for each in revisions] == [
        (1, "a1", "install"), (2, "a2", "grants"), (3, "a3", "config"), (4, "a4", "egress"),
        (5, "a5", "disable"), (6, "a6", "enable"), (7, "a7", "update"),
    ]  # fmt: skip
    assert [each.version for each in revisions] == ["1.0.0"] * 6 + ["1.1.0"]
    assert [each.config_json for each in revisions] == ['{"n":1}'] * 2 + ['{"n":2}'] * 5
    assert [list(each.egress_rules) for each in revisions] == [[]] * 3 + [[RULE]] * 4
    assert [each.status for each in revisions] == [ENABLED] * 4 + [DISABLED] + [ENABLED] * 2
    assert ["cap:storage.kv" in each.granted_capabilities for each in revisions] == [
        True, False, False, False, False, False, True,
    ]  # fmt: skip
    moments = [each.at.ToNanoseconds() for each in revisions]
    assert moments == sorted(moments)
    assert (await tenant.current()).revision == 7


async def test_what_changes_nothing_is_no_revision(tenant: TenantUnderTest) -> None:
    await live(tenant)
    before = await tenant.current()
    await tenant.ask("Enable", actor="b")
    await tenant.ask("SetConfig", config_json='{ "n": 2 }', actor="b")
    same = install_pb2.EgressRule(scheme="https", host="API.example.com", port=443)
    await tenant.ask("SetEgressRules", egress_rules=[same, RULE], actor="b")
    await tenant.ask("Update", version="1.1.0", actor="b")
    assert not (await tenant.ask("Install", version="1.1.0", actor="b")).changed
    assert await tenant.current() == before


@pytest.mark.parametrize("revision", range(1, 7))
async def test_a_rollback_restores_all_of_a_revision_in_one_call(
    tenant: TenantUnderTest, revision: int
) -> None:
    await live(tenant)
    target = next(each for each in await tenant.revisions() if each.revision == revision)
    answer = await tenant.ask("Rollback", revision=revision, actor="back")
    newest = (await tenant.revisions())[0]
    assert (newest.revision, newest.action, newest.actor) == (8, "rollback", "back")
    for field in ("version", "granted_capabilities", "config_json", "egress_rules", "status"):
        assert getattr(newest, field) == getattr(target, field), field
    install = answer.install
    assert install == await tenant.current()
    assert (install.revision, install.version) == (8, target.version)
    assert len(await tenant.revisions()) == 8


async def test_what_a_rollback_grants_again_is_granted_by_who_rolls_back(
    tenant: TenantUnderTest,
) -> None:
    await live(tenant)
    await tenant.ask("Rollback", revision=2, actor="b1")
    await tenant.ask("Rollback", revision=1, actor="b2")
    by = {each.capability: each.granted_by for each in (await tenant.current()).grants}
    assert (by["cap:storage.kv"], by["cap:log.emit"]) == ("b2", "a1")


async def test_rolling_back_to_what_is_there_changes_nothing(tenant: TenantUnderTest) -> None:
    await live(tenant)
    before = await tenant.current()
    assert (await tenant.ask("Rollback", revision=7)).install == before


@pytest.mark.parametrize("revision", [0, 8, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
async def test_there_is_no_way_to_a_revision_that_never_was(
    tenant: TenantUnderTest, revision: int
) -> None:
    await live(tenant)
    with pytest.raises(RevisionNotFoundError):
        await tenant.ask("Rollback", revision=revision)


async def test_a_rollback_to_a_stopped_version_is_refused_and_to_a_yanked_one_warns(
    tenant: TenantUnderTest, registry: RegistryUnderTest
) -> None:
    await live(tenant)
    named = {"extension": tenant.extension, "version": "1.0.0"}
    stop = registry_service_pb2.QuarantineRequest(**named, reason="Malware.")
    await registry.call(registry.catalogue.Quarantine, stop)
    with pytest.raises(VersionQuarantinedError):
        await tenant.ask("Rollback", revision=1)
    free = registry_service_pb2.LiftQuarantineRequest(**named)
    await registry.call(registry.catalogue.LiftQuarantine, free)
    yank = registry_service_pb2.YankRequest(**named, reason="Slow.")
    await registry.call(registry.catalogue.Yank, yank)
    answer = await tenant.ask("Rollback", revision=1)
    assert list(answer.warnings) == ["Version 1.0.0 was withdrawn by its publisher: Slow."]
    assert answer.install.version == "1.0.0"


async def test_a_rollback_judges_signature_and_egress_rules_by_the_rules_of_today(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    home, database = new_registry_home(), await new_database()
    async with registry_on(home, database) as registry:
        tenant = TenantUnderTest(registry)
        await tenant.publish("1.0.0", "http.fetch")
        await tenant.install()
        await tenant.ask("SetEgressRules", egress_rules=[RULE])
        await tenant.ask("SetEgressRules")
    async with registry_on(
        home, database, change=lambda old: old.model_copy(update={"egress_deny": "*.example.com"})
    ) as registry:
        later = TenantUnderTest(registry, tenant.tenant_id, tenant.name)
        await later.ask("Disable")
        answer = await later.ask("Rollback", revision=2)
        assert not answer.install.egress_rules
        assert answer.install.status == ENABLED
        assert list(answer.warnings) == [
            "The platform denies api.example.com by now; its egress rule was not restored."
        ]
    (home.root / "trust.pem").write_bytes(public_pem(generate_key()))
    async with registry_on(home, database) as registry:
        later = TenantUnderTest(registry, tenant.tenant_id, tenant.name)
        with pytest.raises(BundleUntrustedError):
            await later.ask("Rollback", revision=1)


async def test_revisions_are_listed_page_by_page(tenant: TenantUnderTest) -> None:
    await live(tenant)
    pages, token = [], ""
    while True:
        page = await tenant.ask("ListRevisions", page_size=3, page_token=token)
        pages.append([each.revision for each in page.revisions])
        if not (token := page.next_page_token):
            break
        last = token
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]
    other = TenantUnderTest(tenant.registry, name=tenant.name)
    await other.install(version="1.0.0")
    for refused in (last, "x", "a" * 5000, "W10"):
        with pytest.raises(PageTokenInvalidError):
            await other.ask("ListRevisions", page_token=refused)
    with pytest.raises(ArgumentInvalidError):
        await tenant.ask("ListRevisions", page_size=201)


async def test_the_history_goes_with_the_install(tenant: TenantUnderTest) -> None:
    await live(tenant)
    await tenant.ask("Uninstall")
    with pytest.raises(InstallNotFoundError):
        await tenant.revisions()
    await tenant.install(version="1.0.0")
    assert [each.revision for each in await tenant.revisions()] == [1]


async def test_parallel_changes_are_one_revision_each(tenant: TenantUnderTest) -> None:
    await tenant.install(version="1.0.0")
    await asyncio.gather(
        *(tenant.ask("SetConfig", config_json=f'{{"n":{n}}}', actor=str(n)) for n in range(12))
    )
    revisions = await tenant.revisions()
    assert [each.revision for each in revisions] == list(range(13, 0, -1))
    assert len({each.actor for each in revisions}) == 13


@pytest.mark.parametrize("actor", ["x" * 201, "a\nb", "a\x1b[31m", "a\x00b", "\u202e"])
async def test_an_actor_is_a_printable_name(tenant: TenantUnderTest, actor: str) -> None:
    await tenant.install(version="1.0.0")
    calls: dict[str, dict[str, Any]] = {
        "Install": {"version": "1.0.0"}, "Update": {"version": "1.1.0", "keep_grants": True},
        "SetConfig": {"config_json": "{}"}, "SetEgressRules": {}, "Rollback": {"revision": 1},
        "Enable": {}, "Disable": {}, "Uninstall": {},
    }  # fmt: skip
    for method, fields in calls.items():
        with pytest.raises(ArgumentInvalidError, match="actor"):
            await tenant.ask(method, actor=actor, **fields)
    assert [each.revision for each in await tenant.revisions()] == [1]
