"""What is read from the command line for installs, and how changes are shown."""

from uuid import UUID

import pytest

from extctl.commands.install_settings import parse_egress_rule
from extctl.commands.watch import data_of, text_of
from extctl.install_records import Difference, Plan, egress_text
from extctl.options import login_name
from shared.egress_rules import EgressRule
from shared.identifiers import ContentHash, InstallId, RegistryId, TenantId, VersionId
from shared.install_changes import InstallChange, Resync, VersionChange
from tests.fixtures.command_line import ExtCtl

TENANT = "00000000-0000-0000-0000-00000000000a"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("https://api.example.com", EgressRule("https", "api.example.com")),
        ("https://*.example.com/", EgressRule("https", "*.example.com")),
        (
            "GET,post https://a.example.com:8443",
            EgressRule("https", "a.example.com", 8443, ("GET", "post")),
        ),
        ("http://a.example.com", EgressRule("http", "a.example.com")),
    ],
)  # fmt: skip
def test_a_rule_is_read_as_it_is_shown(text: str, rule: EgressRule) -> None:
    assert parse_egress_rule(text) == rule
    assert parse_egress_rule(egress_text(rule)) == rule


@pytest.mark.parametrize(
    "text",
    ["", "api.example.com", "https://", "https://a.example.com/path", "https://u@a.example.com",
     "https://a.example.com:x", "https://[::1", "GET"],
)  # fmt: skip
def test_what_is_no_rule_is_a_wrong_command_line(extctl: ExtCtl, text: str) -> None:
    told = extctl("egress", "acme.x", "--tenant", TENANT, "--allow", text)
    assert told.code == 2
    assert "rule" in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("update", "acme.x", "--tenant", TENANT, "--accept", "--keep-grants"),
        ("update", "acme.x", "--tenant", TENANT, "--accept", "--grant", "log.emit"),
        ("egress", "acme.x", "--tenant", TENANT, "--nothing", "--allow", "https://a.example.com"),
        ("rollback", "acme.x", "0", "--tenant", TENANT),
        ("rollback", "acme.x", "one", "--tenant", TENANT),
        ("history", "acme.x", "--tenant", TENANT, "--limit", "201"),
        ("watch", "--count", "-1"),
    ],
)
def test_what_contradicts_itself_is_a_wrong_command_line(
    extctl: ExtCtl, arguments: tuple[str, ...]
) -> None:
    assert extctl(*arguments).code == 2


def test_consent_grants_what_is_kept_and_what_is_missing() -> None:
    nothing = Difference(added=(), removed=(), unchanged=())
    plan = Plan(
        plan_hash="h",
        from_version="1.0.0",
        to_version="2.0.0",
        capabilities=Difference(added=(), removed=("cap:c",), unchanged=("cap:a",)),
        endpoints=nothing,
        egress_hosts=nothing,
        config_keys=nothing,
        consent_required=("cap:b",),
        warnings=(),
    )
    assert plan.grant_with_consent == ("cap:a", "cap:b")


def test_every_change_is_shown_as_text_and_as_data() -> None:
    one = UUID(int=1)
    install = InstallChange(TenantId(one), InstallId(one), RegistryId(one), 7)
    assert data_of(install) == {
        "event": "install", "tenant_id": str(one), "install_id": str(one),
        "registry_id": str(one), "revision": 7,
    }  # fmt: skip
    version = VersionChange(VersionId(one), ContentHash("sha256:0"), quarantined=True)
    assert data_of(version)["quarantined"] is True
    assert "revision 7" in text_of(install)
    assert "quarantined" in text_of(version)
    assert data_of(Resync()) == {"event": "resync"}


def test_the_actor_is_who_is_logged_in_or_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", unknown)
    assert login_name() == ""
