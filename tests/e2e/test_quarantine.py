"""A quarantine seen from outside: a version that runs is stopped everywhere, and let go again."""

import json
import shutil
import time
import uuid

import pytest

from tests.fixtures.platform import EXAMPLE, Platform

NAME = "acme.suspect"
PATH = f"/api/ext/{NAME}/agreements"
EFFECT_SECONDS = 30.0
CALLS_IN_A_ROW = 10
"""Enough for every runner, which take turns."""


@pytest.fixture(scope="module")
def suspect(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform with the example under another name."""
    source = tmp_path_factory.mktemp("suspect") / "source"
    shutil.copytree(EXAMPLE, source)
    manifest = json.loads((source / "manifest.json").read_text())
    (source / "manifest.json").write_text(json.dumps({**manifest, "name": "suspect"}))
    platform.stack.result("publish", source)
    return platform


def wait_until_all_answer(platform: Platform, tenant: str, status: int) -> None:
    started = time.monotonic()
    in_a_row = 0
    while in_a_row < CALLS_IN_A_ROW:
        in_a_row = in_a_row + 1 if platform.call("GET", PATH, tenant).status == status else 0
        assert time.monotonic() - started < EFFECT_SECONDS


def test_a_quarantine_stops_every_tenants_calls_and_its_receipt_says_so(
    suspect: Platform,
) -> None:
    tenants = [str(uuid.uuid4()) for _ in range(2)]
    version = ""
    for tenant in tenants:
        version = suspect.stack.result("install", NAME, "--tenant", tenant)["version"]
        assert suspect.call("GET", PATH, tenant).status == 200

    receipt = suspect.stack.result("quarantine", NAME, version, "--reason", "It steals.")
    assert (receipt["installs"], receipt["enabled_installs"]) == (2, 2)
    for tenant in tenants:
        wait_until_all_answer(suspect, tenant, 404)
        told = suspect.call("GET", PATH, tenant)
        assert told.body["reason"] == "extension_not_available"
    refused = suspect.stack.error("install", NAME, "--tenant", str(uuid.uuid4()))
    assert refused["reason"] == "VERSION_NOT_FOUND"  # there is no other version to be the latest
    named = ("install", NAME, "--version", version, "--tenant", str(uuid.uuid4()))
    assert suspect.stack.error(*named)["reason"] == "VERSION_QUARANTINED"

    later = suspect.stack.result("receipt", receipt["receipt_id"])
    assert later["last_execution_at"] <= later["effective_by"]
    assert later["last_execution_at"]

    suspect.stack.result("quarantine", NAME, version, "--lift")
    for tenant in tenants:
        wait_until_all_answer(suspect, tenant, 200)
