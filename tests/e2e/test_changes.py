"""A change of an install is effective everywhere at once, and costs no call that may be made."""

import json
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.own_stack import EXTCTL
from tests.fixtures.platform import EXAMPLE, Platform

NAME = "acme.changing"
PATH = f"/api/ext/{NAME}/agreements"


@pytest.fixture(scope="module")
def published(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform with the example under another name, at 1.0.0 and, asking for more, at 1.1.0."""
    source = tmp_path_factory.mktemp("changing") / "source"
    shutil.copytree(EXAMPLE, source)
    manifest = json.loads((source / "manifest.json").read_text())
    manifest["name"] = "changing"
    for version, more in (("1.0.0", []), ("1.1.0", ["cap:http.fetch"])):
        changed = {
            **manifest,
            "version": version,
            "capabilities": [*manifest["capabilities"], *more],
        }
        (source / "manifest.json").write_text(json.dumps(changed))
        platform.stack.result("publish", source)
    return platform


class TenantOfTheStack:
    """A fresh tenant with 1.0.0, and what extctl and the gateway do for it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.tenant = str(uuid.uuid4())
        self.result("install", "--version", "1.0.0")
        assert self.status() == 200

    def arguments(self, command: str, *more: str) -> tuple[str, ...]:
        return (command, NAME, *more, "--tenant", self.tenant)

    def result(self, command: str, *more: str) -> Any:
        return self.platform.stack.result(*self.arguments(command, *more))

    def error(self, command: str, *more: str) -> Any:
        return self.platform.stack.error(*self.arguments(command, *more))

    def status(self) -> int:
        return self.platform.call("GET", PATH, self.tenant).status

    def greeting(self) -> str:
        return str(self.platform.call("GET", PATH, self.tenant).body["greeting"])

    def seconds_until(self, held: Callable[[], bool]) -> float:
        started = time.monotonic()
        while not held():
            assert time.monotonic() - started < 10
        return time.monotonic() - started


@pytest.fixture
def changing(published: Platform) -> TenantOfTheStack:
    return TenantOfTheStack(published)


def test_disabling_enabling_and_removing_are_effective_within_a_second(
    changing: TenantOfTheStack,
) -> None:
    changing.result("disable")
    assert changing.seconds_until(lambda: changing.status() == 404) < 1
    changing.result("enable")
    assert changing.seconds_until(lambda: changing.status() == 200) < 1
    changing.result("uninstall")
    assert changing.seconds_until(lambda: changing.status() == 404) < 1
    changing.result("install", "--version", "1.0.0")
    assert changing.seconds_until(lambda: changing.status() == 200) < 1


def test_a_config_is_effective_within_a_second_and_no_call_is_lost_meanwhile(
    changing: TenantOfTheStack,
) -> None:
    statuses: list[int] = []
    done = threading.Event()

    def call_all_the_time() -> None:
        while not done.is_set():
            statuses.append(changing.status())

    caller = threading.Thread(target=call_all_the_time)
    caller.start()
    try:
        for number in range(5):
            text = f"hello {number}"
            changing.result("config", "--set", json.dumps({"greeting": text}))
            heard = changing.seconds_until(lambda text=text: changing.greeting() == text)  # type: ignore[misc]
            assert heard < 1
    finally:
        done.set()
        caller.join()
    assert len(statuses) > 10
    assert set(statuses) == {200}


def test_a_quarantined_version_stops_within_a_second(changing: TenantOfTheStack) -> None:
    changing.result("update", "--version", "1.1.0", "--accept")
    stack = changing.platform.stack
    stack.result("quarantine", NAME, "1.1.0", "--reason", "Malware.")
    assert changing.seconds_until(lambda: changing.status() == 404) < 1
    assert changing.error("update", "--version", "1.1.0")["reason"] == "VERSION_QUARANTINED"
    changing.result("rollback", "1")
    assert changing.seconds_until(lambda: changing.status() == 200) < 1
    stack.result("quarantine", NAME, "1.1.0", "--lift")


def test_from_plan_to_rollback_on_the_command_line(changing: TenantOfTheStack) -> None:
    plan = changing.result("plan")
    assert (plan["from_version"], plan["to_version"]) == ("1.0.0", "1.1.0")
    assert plan["consent_required"] == ["cap:http.fetch"]
    refused = changing.error("update")
    assert "cap:http.fetch" in refused["message"]
    assert "--accept" in refused["hint"]
    kept = changing.result("update", "--keep-grants")
    assert (kept["version"], "cap:http.fetch" in kept["granted_capabilities"]) == ("1.1.0", False)
    back = changing.result("rollback", "1", "--actor", "ada")
    assert (back["version"], back["revision"]) == ("1.0.0", 3)
    accepted = changing.result("update", "--accept", "--actor", "grace")
    assert any(each.startswith("cap:http.fetch by grace at ") for each in accepted["grants"])
    revisions = changing.result("history")["revisions"]
    assert [(each["revision"], each["action"], each["version"]) for each in revisions] == [
        (4, "update", "1.1.0"), (3, "rollback", "1.0.0"), (2, "update", "1.1.0"),
        (1, "install", "1.0.0"),
    ]  # fmt: skip
    assert [each["actor"] for each in revisions][:2] == ["grace", "ada"]
    assert changing.error("rollback", "99")["reason"] == "REVISION_NOT_FOUND"
    again = changing.result("install", "--version", "1.1.0")
    assert (again["changed"], again["install_id"]) == (False, accepted["install_id"])


def test_config_and_egress_are_shown_and_set(changing: TenantOfTheStack) -> None:
    assert changing.result("config")["config_json"] == "{}"
    assert changing.error("config", "--set", "[]")["reason"] == "CONFIG_INVALID"
    set_to = changing.result("egress", "--allow", "get https://API.example.com:443")
    assert set_to["egress_rules"] == ["GET https://api.example.com"]
    assert changing.result("egress")["egress_rules"] == set_to["egress_rules"]
    refused = changing.error("egress", "--allow", "https://169.254.169.254")
    assert refused["reason"] == "EGRESS_RULE_INVALID"
    assert refused["faults"][0]["path"] == "egress_rules[0].host"
    assert changing.result("egress", "--nothing")["egress_rules"] == []
    listed = changing.platform.stack.result("installs", "--tenant", changing.tenant)["installs"]
    assert [each["extension"] for each in listed] == [NAME]


def test_watch_tells_changes_as_they_happen(changing: TenantOfTheStack) -> None:
    directory = changing.platform.stack.directory
    with subprocess.Popen(
        [*EXTCTL, "watch", "--count", "3", "--json", "--stack", str(directory)],
        stdout=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline()) == {"event": "resync"}
        changing.result("disable")
        changing.result("enable")
        told = [json.loads(watching.stdout.readline()) for _ in range(2)]
        assert watching.wait(10) == 0
    assert [(each["event"], each["tenant_id"], each["revision"]) for each in told] == [
        ("install", changing.tenant, 2), ("install", changing.tenant, 3),
    ]  # fmt: skip
