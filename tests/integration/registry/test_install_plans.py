"""What would change is told before; and what is applied is what was told, or nothing."""

from typing import Any

import pytest

from shared.errors import (
    CapabilityNotRequestedError,
    ConfigInvalidError,
    ConsentRequiredError,
    InstallNotFoundError,
    PlanStaleError,
    RegistryEntryNotFoundError,
    VersionNotFoundError,
)
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import registry_service_pb2
from tests.fixtures.registry import RegistryUnderTest
from tests.fixtures.tenants import TenantUnderTest, grant

DEFAULTS = ["cap:context.read", "cap:log.emit", "cap:user.read"]


def endpoints(*routes: str) -> dict[str, Any]:
    return {
        "endpoints": [
            {"method": method, "path": path, "handler": "h"}
            for method, path in (route.split() for route in routes)
        ]
    }


@pytest.fixture
async def tenant(registry: RegistryUnderTest) -> TenantUnderTest:
    """A tenant and an extension at 1.0.0."""
    tenant = TenantUnderTest(registry)
    await tenant.publish(
        "1.0.0",
        "storage.kv",
        "secrets.get",
        api=endpoints("GET /a", "GET /b"),
        egress=[{"host": "api.example.com"}, {"host": "old.example.com"}],
    )
    return tenant


async def second_version(tenant: TenantUnderTest) -> None:
    """1.1.0 asks for http.fetch, and no longer for secrets.get."""
    await tenant.publish(
        "1.1.0",
        "storage.kv",
        "http.fetch",
        api=endpoints("GET /b", "POST /c"),
        egress=[{"host": "api.example.com"}, {"host": "New.example.com"}],
    )


def sides(difference: pb.Difference) -> tuple[list[str], list[str], list[str]]:
    return list(difference.added), list(difference.removed), list(difference.unchanged)


async def test_a_new_install_is_planned_without_being_made(tenant: TenantUnderTest) -> None:
    plan = await tenant.plan(config_json='{"b":1,"a":2}')
    assert (plan.from_version, plan.to_version) == ("", "1.0.0")
    assert sides(plan.capabilities) == (
        ["cap:context.read", "cap:log.emit", "cap:secrets.get", "cap:storage.kv", "cap:user.read"],
        [],
        [],
    )
    assert sides(plan.endpoints) == (["GET /a", "GET /b"], [], [])
    assert sides(plan.egress_hosts) == (["api.example.com", "old.example.com"], [], [])
    assert sides(plan.config_keys) == (["a", "b"], [], [])
    assert not plan.consent_required
    with pytest.raises(InstallNotFoundError):
        await tenant.current()
    made = await tenant.install(config_json='{"a":2,"b":1}', plan_hash=plan.plan_hash)
    assert made.version == "1.0.0"


async def test_an_update_is_planned_with_every_difference(tenant: TenantUnderTest) -> None:
    before = await tenant.install(config_json='{"a":1,"b":true,"c":[1]}')
    await second_version(tenant)
    plan = await tenant.plan(config_json='{"b":1,"c":[1],"d":0}')
    assert (plan.from_version, plan.to_version) == ("1.0.0", "1.1.0")
    kept = ["cap:context.read", "cap:log.emit", "cap:storage.kv", "cap:user.read"]
    assert sides(plan.capabilities) == ([], ["cap:secrets.get"], kept)
    assert sides(plan.endpoints) == (["POST /c"], ["GET /a"], ["GET /b"])
    assert sides(plan.egress_hosts) == (
        ["new.example.com"], ["old.example.com"], ["api.example.com"],
    )  # fmt: skip
    assert sides(plan.config_keys) == (["b", "d"], ["a", "b"], ["c"])
    assert list(plan.consent_required) == ["cap:http.fetch"]
    assert await tenant.current() == before


async def test_more_rights_need_consent_or_the_word_to_do_without(tenant: TenantUnderTest) -> None:
    await tenant.install()
    await second_version(tenant)
    for fields in ({}, {"grant": grant("storage.kv")}):
        with pytest.raises(ConsentRequiredError, match=r"http\.fetch") as told:
            await tenant.ask("Update", **fields)
        assert told.value.metadata["capabilities"] == "cap:http.fetch"
        assert [fault.code for fault in told.value.faults] == ["consent_required"]
    assert (await tenant.current()).version == "1.0.0"

    kept = (await tenant.ask("Update", keep_grants=True)).install
    assert (kept.version, list(kept.granted_capabilities)) == (
        "1.1.0",
        ["cap:context.read", "cap:log.emit", "cap:storage.kv", "cap:user.read"],
    )
    granted = (await tenant.ask("Update", grant=grant("storage.kv", "http.fetch"))).install
    assert "cap:http.fetch" in granted.granted_capabilities


async def test_what_was_declined_once_is_not_asked_for_again(tenant: TenantUnderTest) -> None:
    await tenant.install(grant=grant("storage.kv"))
    await tenant.publish("1.0.1", "storage.kv", "secrets.get")
    moved = (await tenant.ask("Update")).install
    assert moved.version == "1.0.1"
    assert "cap:secrets.get" not in moved.granted_capabilities
    assert not (await tenant.plan()).consent_required


async def test_a_grant_says_who_and_when_and_keeps_it(tenant: TenantUnderTest) -> None:
    first = await tenant.install(actor="ada")
    assert {each.granted_by for each in first.grants} == {"ada"}
    await second_version(tenant)
    await tenant.ask("Update", grant=grant("storage.kv", "http.fetch"), actor="grace")
    now = await tenant.current()
    by = {each.capability: each.granted_by for each in now.grants}
    assert by == {**dict.fromkeys([*DEFAULTS, "cap:storage.kv"], "ada"), "cap:http.fetch": "grace"}
    at = {each.capability: each.granted_at for each in now.grants}
    assert at["cap:storage.kv"] == first.grants[0].granted_at
    assert at["cap:http.fetch"].ToDatetime() > at["cap:storage.kv"].ToDatetime()
    await tenant.ask("Update", grant=grant("http.fetch"), actor="ada")
    await tenant.ask("Update", grant=grant("storage.kv", "http.fetch"), actor="linus")
    again = {each.capability: each.granted_by for each in (await tenant.current()).grants}
    assert (again["cap:storage.kv"], again["cap:http.fetch"]) == ("linus", "grace")


async def test_a_plan_is_stale_once_anything_that_decides_has_changed(
    tenant: TenantUnderTest, registry: RegistryUnderTest
) -> None:
    new = await tenant.plan()
    await tenant.install()
    with pytest.raises(PlanStaleError):
        await tenant.install(plan_hash=new.plan_hash)

    async def change_the_config() -> None:
        await tenant.ask("SetConfig", config_json='{"x":1}')

    async def publish_another() -> None:
        await second_version(tenant)

    async def deprecate() -> None:
        request = registry_service_pb2.DeprecateRequest(
            extension=tenant.extension, version="1.1.0", reason="It is slow."
        )
        await registry.call(registry.catalogue.Deprecate, request)

    for change in (change_the_config, publish_another, deprecate):
        plan = await tenant.plan(keep_grants=True)
        await change()
        before = await tenant.current()
        with pytest.raises(PlanStaleError):
            await tenant.ask("Update", keep_grants=True, plan_hash=plan.plan_hash)
        assert await tenant.current() == before
    plan = await tenant.plan(keep_grants=True)
    assert list(plan.warnings) == ["Version 1.1.0 is deprecated: It is slow."]
    await tenant.ask("Update", keep_grants=True, plan_hash=plan.plan_hash)


async def test_a_plan_is_for_the_wish_that_it_was_made_for(tenant: TenantUnderTest) -> None:
    await tenant.install()
    await second_version(tenant)
    everything = grant("storage.kv", "http.fetch")
    plan = await tenant.plan(grant=everything)
    for other in (
        {"grant": grant("http.fetch"), "keep_grants": True},
        {"grant": everything, "config_json": '{"a":1}'},
        {"grant": everything, "version": "1.0.0"},
        {"grant": everything, "plan_hash": "0" * 64},
        {"grant": everything, "plan_hash": "'; drop table x"},
    ):
        with pytest.raises((PlanStaleError, CapabilityNotRequestedError)):
            await tenant.ask("Update", **{"plan_hash": plan.plan_hash, **other})
    assert (await tenant.current()).version == "1.0.0"
    await tenant.ask("Update", grant=everything, plan_hash=plan.plan_hash)


async def test_what_cannot_be_done_cannot_be_planned(tenant: TenantUnderTest) -> None:
    for fields, error in (
        ({"extension": "no.such"}, RegistryEntryNotFoundError),
        ({"version": "7.7.7"}, VersionNotFoundError),
        ({"grant": grant("http.fetch")}, CapabilityNotRequestedError),
        ({"config_json": "[]"}, ConfigInvalidError),
    ):
        with pytest.raises(error):
            await tenant.plan(**fields)


async def test_what_is_yanked_or_quarantined_is_neither_planned_nor_installed(
    tenant: TenantUnderTest, registry: RegistryUnderTest
) -> None:
    await second_version(tenant)
    life = registry_service_pb2
    named = {"extension": tenant.extension, "version": "1.1.0"}
    had_before = TenantUnderTest(registry, name=tenant.name)
    await had_before.install(version="1.1.0")
    for stop, free, reason in (
        (
            (registry.catalogue.Yank, life.YankRequest(**named, reason="Broken.")),
            (registry.catalogue.Unyank, life.UnyankRequest(**named)),
            "VERSION_YANKED",
        ),
        (
            (registry.catalogue.Quarantine, life.QuarantineRequest(**named, reason="Malware.")),
            (registry.catalogue.LiftQuarantine, life.LiftQuarantineRequest(**named)),
            "VERSION_QUARANTINED",
        ),
    ):
        await registry.call(*stop)
        for method in ("Plan", "Install"):
            with pytest.raises(Exception, match=r"1\.1\.0") as told:
                await tenant.ask(method, version="1.1.0")
            assert getattr(told.value, "reason", "") == reason
        if reason == "VERSION_YANKED":
            kept = await had_before.ask("Install", version="1.1.0")
            assert not kept.changed
            assert list(kept.warnings) == ["Version 1.1.0 was withdrawn by its publisher: Broken."]
        await registry.call(*free)
    assert (await tenant.plan(version="1.1.0")).to_version == "1.1.0"
