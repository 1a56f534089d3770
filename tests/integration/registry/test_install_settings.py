"""Config and egress rules of an install: checked, canonical, and refused with every fault."""

import json
from typing import Any

import pytest

from registry_service.settings import RegistrySettings
from shared.errors import ConfigInvalidError, EgressRuleInvalidError, InstallNotFoundError
from shared.pb.registry.v1 import install_pb2
from shared.settings import SettingsInvalidError
from tests.fixtures.postgres import NewDatabase
from tests.fixtures.registry import NewRegistryHome, RegistryUnderTest, registry_on
from tests.fixtures.tenants import TenantUnderTest

SCHEMA = {
    "type": "object",
    "properties": {"currency": {"type": "string", "enum": ["EUR", "USD"]}},
    "required": ["currency"],
    "additionalProperties": False,
}


@pytest.fixture
async def tenant(registry: RegistryUnderTest) -> TenantUnderTest:
    """A tenant with an extension whose config may be anything."""
    tenant = TenantUnderTest(registry)
    await tenant.publish("1.0.0", "http.fetch")
    await tenant.install()
    return tenant


@pytest.fixture
async def strict(registry: RegistryUnderTest) -> TenantUnderTest:
    """A tenant without an install of an extension that has a schema."""
    tenant = TenantUnderTest(registry)
    await tenant.publish("1.0.0", config_schema=SCHEMA)
    return tenant


def rule(host: str, **fields: Any) -> install_pb2.EgressRule:
    return install_pb2.EgressRule(scheme=fields.pop("scheme", "https"), host=host, **fields)


async def test_a_config_is_replaced_in_its_canonical_form(tenant: TenantUnderTest) -> None:
    changed = (await tenant.ask("SetConfig", config_json=' {"b": 1, "a": {"é": 2}}')).install
    assert changed.config_json == '{"a":{"é":2},"b":1}'
    resolved = await tenant.registry.resolve(tenant.tenant_id, tenant.extension)
    assert resolved.install == changed == await tenant.current()


@pytest.mark.parametrize(
    "config",
    ["", "[]", "1", "{", '{"a":1,"a":2}', '{"a":Infinity}', json.dumps({"a": "x" * 65_536})],
    ids=["empty", "list", "number", "open", "twice", "infinite", "large"],
)
async def test_what_is_no_config_is_refused_and_changes_nothing(
    tenant: TenantUnderTest, config: str
) -> None:
    before = await tenant.current()
    with pytest.raises(ConfigInvalidError) as told:
        await tenant.ask("SetConfig", config_json=config)
    assert "xxx" not in str(told.value)
    assert await tenant.current() == before


async def test_a_config_must_fit_the_schema_on_every_way_in(strict: TenantUnderTest) -> None:
    for method, fields in (
        ("Install", {}),
        ("Install", {"config_json": '{"currency":"canary-5eb1"}'}),
        ("Plan", {"config_json": '{"currency":"EUR","more":1}'}),
    ):
        with pytest.raises(ConfigInvalidError) as told:
            await strict.ask(method, **fields)
        assert told.value.faults
        assert "canary" not in repr((told.value.message, told.value.faults))
    await strict.install(config_json='{"currency":"EUR"}')
    with pytest.raises(ConfigInvalidError) as told:
        await strict.ask("SetConfig", config_json='{"currency":"GBP","a":1,"b":2}')
    assert [fault.path for fault in told.value.faults] == [
        "config.a", "config.b", "config.currency",
    ]  # fmt: skip
    await strict.ask("SetConfig", config_json='{"currency":"USD"}')


async def test_an_update_whose_schema_refuses_the_config_that_is_there_needs_another(
    strict: TenantUnderTest,
) -> None:
    await strict.install(config_json='{"currency":"EUR"}')
    more = {**SCHEMA, "properties": {"language": {"type": "string"}}, "required": ["language"]}
    await strict.publish("2.0.0", config_schema=more)
    for method in ("Plan", "Update"):
        with pytest.raises(ConfigInvalidError, match=r"2\.0\.0"):
            await strict.ask(method)
    moved = (await strict.ask("Update", config_json='{"language":"de"}')).install
    assert moved.version == "2.0.0"
    back = (await strict.ask("Rollback", revision=1)).install
    assert (back.version, back.config_json) == ("1.0.0", '{"currency":"EUR"}')


async def test_egress_rules_are_replaced_in_their_canonical_form(tenant: TenantUnderTest) -> None:
    assert not (await tenant.current()).egress_rules
    changed = await tenant.ask(
        "SetEgressRules",
        egress_rules=[
            rule("B.example.com", port=443, methods=["post", "GET"]),
            rule("*.a.example.com"),
            rule("b.example.com", methods=["GET", "POST"]),
        ],
    )
    assert list(changed.install.egress_rules) == [
        rule("*.a.example.com"),
        rule("b.example.com", methods=["GET", "POST"]),
    ]
    resolved = await tenant.registry.resolve(tenant.tenant_id, tenant.extension)
    assert resolved.install.egress_rules == changed.install.egress_rules
    none = await tenant.ask("SetEgressRules")
    assert not none.install.egress_rules


async def test_every_egress_rule_that_cannot_be_allowed_is_told(tenant: TenantUnderTest) -> None:
    before = await tenant.current()
    with pytest.raises(EgressRuleInvalidError) as told:
        await tenant.ask(
            "SetEgressRules",
            egress_rules=[
                rule("ok.example.com"),
                rule("169.254.169.254"),
                rule("metadata.google.internal"),
                rule("example.com", scheme="http"),
                rule("*.com"),
                rule("example.com", port=65_536),
                rule("example.com", methods=["TRACE"]),
                rule(""),
            ],
        )
    assert [(fault.path, fault.code) for fault in told.value.faults] == [
        ("egress_rules[1].host", "host_is_address"),
        ("egress_rules[2].host", "host_denied"),
        ("egress_rules[3].scheme", "http_denied"),
        ("egress_rules[4].host", "host_too_wide"),
        ("egress_rules[5].port", "port"),
        ("egress_rules[6].methods", "method"),
        ("egress_rules[7].host", "host"),
    ]
    with pytest.raises(EgressRuleInvalidError, match="at most"):
        await tenant.ask("SetEgressRules", egress_rules=[rule("example.com")] * 101)
    assert await tenant.current() == before


async def test_the_operator_allows_http_and_denies_hosts_by_settings(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    def change(old: RegistrySettings) -> RegistrySettings:
        return old.model_copy(
            update={"allow_http_egress": True, "egress_deny": "db.example.com, *.example.net"}
        )

    async with registry_on(new_registry_home(), await new_database(), change=change) as registry:
        tenant = TenantUnderTest(registry)
        await tenant.publish("1.0.0", "http.fetch")
        await tenant.install()
        plain = rule("example.com", scheme="http")
        await tenant.ask("SetEgressRules", egress_rules=[plain])
        assert list((await tenant.current()).egress_rules) == [plain]
        for host in ("db.example.com", "*.example.com", "a.example.net"):
            with pytest.raises(EgressRuleInvalidError, match="denies"):
                await tenant.ask("SetEgressRules", egress_rules=[rule(host)])


def test_a_deny_list_that_cannot_be_read_stops_the_registry() -> None:
    with pytest.raises(SettingsInvalidError, match=r"REGISTRY_EGRESS_DENY: .*no host"):
        RegistrySettings.from_environment({"REGISTRY_EGRESS_DENY": "ok.example.com,http://x"})


async def test_nothing_can_be_set_where_nothing_is_installed(registry: RegistryUnderTest) -> None:
    tenant = TenantUnderTest(registry)
    for method, fields in (
        ("SetConfig", {"config_json": "{}"}),
        ("SetEgressRules", {}),
        ("Rollback", {"revision": 1}),
        ("ListRevisions", {}),
    ):
        with pytest.raises(InstallNotFoundError):
            await tenant.ask(method, **fields)
