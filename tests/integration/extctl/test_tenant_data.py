"""`extctl secrets`, `records` and `uninstall` against a running stack."""

import base64
import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.own_stack import EXTCTL
from tests.fixtures.platform import Platform

CANARY = "canary-88f1b0"
NAME = "acme.agreements"


@pytest.fixture
def mine(platform: Platform, agreements: str) -> Iterator[str]:
    """A tenant with the example and one record."""
    tenant = str(uuid.uuid4())
    platform.stack.result("install", NAME, "--tenant", tenant)
    draft = json.dumps({"title": "Supply", "counterparty": "Globex"}).encode()
    assert platform.call("POST", f"{agreements}/agreements", tenant, draft).status == 201
    yield tenant
    platform.stack.run("uninstall", NAME, "--tenant", tenant)


def set_secret(platform: Platform, tenant: str, value: str, *more: str) -> Any:
    done = subprocess.run(
        [*EXTCTL, "secrets", "set", NAME, "api.key", "--tenant", tenant, "--json", *more,
         "--stack", str(platform.stack.directory)],
        input=value, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert CANARY not in done.stdout + done.stderr
    return json.loads(done.stdout or done.stderr)


def test_secrets_are_set_listed_and_removed_without_being_shown(
    platform: Platform, mine: str
) -> None:
    told = set_secret(platform, mine, f"{CANARY}\n", "--actor", "alice")
    assert (told["key"], told["version"], told["updated_by"]) == ("api.key", 1, "alice")
    told = set_secret(platform, mine, CANARY, "--expires", "2099-01-01T00:00:00Z")
    assert (told["version"], told["expires_at"]) == (2, "2099-01-01T00:00:00Z")
    listed = platform.stack.run("secrets", "list", NAME, "--tenant", mine).stdout
    assert CANARY not in listed
    assert [each["key"] for each in json.loads(listed)["secrets"]] == ["api.key"]
    for changed in (True, False):
        told = platform.stack.result("secrets", "delete", NAME, "api.key", "--tenant", mine)
        assert told["changed"] is changed
    logs = "".join(path.read_text() for path in (platform.stack.directory / "logs").iterdir())
    assert CANARY not in logs


def test_what_is_wrong_with_a_secret_is_told(platform: Platform, mine: str) -> None:
    assert "1 to 16384 bytes" in set_secret(platform, mine, "")["error"]["message"]
    past = set_secret(platform, mine, CANARY, "--expires", "2020-01-01T00:00:00Z")
    assert past["error"]["reason"] == "ARGUMENT_INVALID"
    stranger = platform.stack.error("secrets", "list", NAME, "--tenant", str(uuid.uuid4()))
    assert stranger["reason"] == "INSTALL_NOT_FOUND"


def test_records_are_exported_to_a_new_file(platform: Platform, mine: str, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    arguments = ("records", "export", NAME, "--tenant", mine, "--output", path)
    assert platform.stack.result(*arguments)["records"] == 1
    (record,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert json.loads(base64.b64decode(record["value"]))["title"] == "Supply"
    assert record["revision"] == 1
    assert "cannot be made" in platform.stack.error(*arguments)["message"]


def count(platform: Platform, agreements: str, tenant: str) -> int:
    return len(platform.call("GET", f"{agreements}/agreements", tenant).body["agreements"])


def test_kept_data_is_there_after_the_next_install(
    platform: Platform, agreements: str, mine: str
) -> None:
    assert platform.stack.result("uninstall", NAME, "--tenant", mine, "--keep-data")["changed"]
    assert platform.call("GET", f"{agreements}/agreements", mine).status == 404
    platform.stack.result("install", NAME, "--tenant", mine)
    assert count(platform, agreements, mine) == 1
    assert platform.stack.result("uninstall", NAME, "--tenant", mine)["changed"]
    platform.stack.result("install", NAME, "--tenant", mine)
    assert count(platform, agreements, mine) == 0


def test_an_uninstall_can_export_first_and_undoes_nothing_when_it_cannot(
    platform: Platform, agreements: str, mine: str, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.touch()
    failed = platform.stack.error("uninstall", NAME, "--tenant", mine, "--export", there)
    assert "cannot be made" in failed["message"]
    assert count(platform, agreements, mine) == 1  # enabled, as it was
    path = tmp_path / "records.jsonl"
    told = platform.stack.result("uninstall", NAME, "--tenant", mine, "--export", path)
    assert (told["changed"], told["exported"]) == (True, 1)
    assert len(path.read_text().splitlines()) == 1
