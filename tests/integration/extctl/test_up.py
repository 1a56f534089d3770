"""`extctl up` runs the platform, keeps it running, and leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fixtures.own_stack import (
    EXTCTL,
    OwnStack,
    command_line_of,
    launched,
    lives,
    own_stack,
    passable_directory,
    wait_until,
)

EXAMPLE = Path(__file__).parents[3] / "examples" / "agreements"
AGREEMENTS = "/api/ext/acme.agreements/agreements"


@pytest.fixture(scope="module")
def stack() -> Iterator[OwnStack]:
    """One stack for the tests that leave it running."""
    with passable_directory() as directory, own_stack(directory / "stack") as running:
        yield running


@pytest.fixture(scope="module")
def tenant(stack: OwnStack) -> str:
    """A tenant with the example installed."""
    tenant = str(uuid.uuid4())
    stack.result("publish", EXAMPLE)
    stack.result("install", "acme.agreements", "--tenant", tenant)
    return tenant


def status_of(stack: OwnStack, tenant: str, path: str = AGREEMENTS) -> int:
    status: int = stack.result("call", "GET", path, "--tenant", tenant)["status"]
    return status


def test_everything_listens_on_the_loopback_interface_only(stack: OwnStack) -> None:
    listening = [
        connection.laddr
        for process in stack.processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 7
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_what_it_writes_is_private(stack: OwnStack) -> None:
    assert (stack.directory / "stack.json").stat().st_mode & 0o077 == 0
    assert (stack.directory / "logs").stat().st_mode & 0o077 == 0
    assert (stack.directory / "keys").stat().st_mode & 0o077 == 0
    assert stack.directory.stat().st_mode & 0o044 == 0


def test_a_second_stack_in_the_same_directory_is_refused(stack: OwnStack) -> None:
    second = subprocess.run(
        [*EXTCTL, "up", "--data", stack.directory], capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "already running" in second.stderr
    assert stack.result("doctor")["healthy"]


def test_a_healthy_stack_passes_the_doctor(stack: OwnStack) -> None:
    told = stack.result("doctor")
    assert told["healthy"]
    assert {"registry", "database", "bundle store", "trust bundle", "operator key"} <= {
        finding["subject"] for finding in told["findings"]
    }


def test_a_tenant_calls_what_it_installed(stack: OwnStack, tenant: str) -> None:
    told = stack.result(
        "call", "POST", AGREEMENTS, "--tenant", tenant, "--data", '{"title": "Lease"}'
    )
    assert told["status"] == 201
    assert '"title":"Lease"' in told["body"]
    assert status_of(stack, str(uuid.uuid4())) == 404
    assert stack.result("call", "GET", AGREEMENTS)["status"] == 401
    request_id = next(h["value"] for h in told["headers"] if h["name"].lower() == "x-request-id")
    wait_until(lambda: bool(_executions(stack, tenant, request_id)))
    (execution,) = _executions(stack, tenant, request_id)
    assert (execution["http_status"], execution["status"]) == (201, "ok")
    assert execution["log_lines"]


def _executions(stack: OwnStack, tenant: str, request_id: str) -> list[dict[str, object]]:
    told = stack.result("executions", "--tenant", tenant, "--request-id", request_id)
    rows: list[dict[str, object]] = told["executions"]
    return rows


def test_installs_are_disabled_enabled_updated_and_removed(stack: OwnStack, tenant: str) -> None:
    other = str(uuid.uuid4())
    for_other = ("acme.agreements", "--tenant", other)
    installed = stack.result("install", *for_other, "--grant", "log.emit", "--config", "{}")
    assert "cap:storage.kv" not in installed["granted_capabilities"]
    assert stack.result("disable", *for_other)["status"] == "disabled"
    assert stack.result("enable", *for_other)["status"] == "enabled"
    updated = stack.result("update", *for_other, "--config", '{"greeting": "Hey"}')
    assert updated["config_json"] == '{"greeting":"Hey"}'
    assert stack.result("uninstall", *for_other)["changed"]
    assert not stack.result("uninstall", *for_other)["changed"]
    assert stack.error("enable", *for_other)["reason"] == "INSTALL_NOT_FOUND"
    assert status_of(stack, tenant) == 200


@pytest.mark.usefixtures("tenant")
def test_publishing_a_version_twice_says_what_to_do(stack: OwnStack) -> None:
    refused = stack.error("publish", EXAMPLE)
    assert refused["reason"] == "EXTENSION_VERSION_ALREADY_EXISTS"
    assert "version" in refused["hint"]


def test_an_unsigned_bundle_is_refused(stack: OwnStack, tmp_path: Path) -> None:
    source = tmp_path / "unsigned"
    shutil.copytree(EXAMPLE / "dist", source / "dist")
    shutil.copytree(EXAMPLE / "ui", source / "ui")
    manifest = json.loads((EXAMPLE / "manifest.json").read_text())
    (source / "manifest.json").write_text(json.dumps({**manifest, "name": "unsigned"}))
    assert stack.error("publish", source, "--unsigned")["reason"] == "BUNDLE_UNTRUSTED"
    assert stack.result("publish", source)["signature"] == "verified"


def test_a_new_key_is_trusted_without_a_restart(stack: OwnStack, tmp_path: Path) -> None:
    source = tmp_path / "globex"
    shutil.copytree(EXAMPLE / "dist", source / "dist")
    shutil.copytree(EXAMPLE / "ui", source / "ui")
    manifest = json.loads((EXAMPLE / "manifest.json").read_text())
    (source / "manifest.json").write_text(json.dumps({**manifest, "publisher": "globex"}))
    key, stranger = tmp_path / "globex.pem", tmp_path / "stranger.pem"
    stack.result("keygen", "--out", stranger)
    assert stack.error("publish", source, "--key", stranger)["reason"] == "PUBLISHER_NOT_FOUND"
    stack.result("publisher", "create", "globex", "--key", stranger)
    assert stack.error("publish", source, "--key", stranger)["reason"] == "BUNDLE_UNTRUSTED"
    stack.result("keygen", "--out", key, "--publisher", "globex", "--trust")
    refused = stack.error("publish", source, "--key", key)
    assert refused["reason"] == "PUBLISHER_NOT_OWNED"
    owned = ("--key", key, "--owner-key", stranger)
    wait_until(lambda: stack.run("publish", source, *owned).returncode == 0)


@pytest.mark.parametrize("service", ["runner_service", "gateway_shim", "registry_service"])
def test_a_killed_process_is_back_on_its_port(stack: OwnStack, tenant: str, service: str) -> None:
    before = stack.file
    assert status_of(stack, tenant) == 200
    victim = stack.process_of(service)
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: not lives(victim))
    wait_until(lambda: stack.run("doctor").returncode == 0)
    assert stack.process_of(service).pid != victim.pid
    assert status_of(stack, tenant) == 200
    assert stack.file == before


def test_the_call_after_a_runner_was_killed_succeeds(stack: OwnStack, tenant: str) -> None:
    for _ in range(2):
        assert status_of(stack, tenant) == 200
        os.kill(stack.process_of("runner_service").pid, signal.SIGKILL)
        assert status_of(stack, tenant) == 200
    wait_until(lambda: stack.run("doctor").returncode == 0)


def test_a_killed_postgres_comes_back(stack: OwnStack, tenant: str) -> None:
    postgres = stack.process_of("bin/postgres")
    os.kill(postgres.pid, signal.SIGKILL)
    wait_until(lambda: not lives(postgres))
    wait_until(lambda: stack.run("doctor").returncode == 0)
    assert status_of(stack, tenant) == 200


def test_a_key_that_others_can_read_fails_the_doctor(stack: OwnStack) -> None:
    key = stack.directory / "keys" / "operator.pem"
    key.chmod(0o644)
    try:
        done = stack.run("doctor")
    finally:
        key.chmod(0o600)
    assert done.returncode == 1
    assert "chmod" in done.stdout


def test_a_broken_trust_bundle_fails_the_doctor(stack: OwnStack) -> None:
    trust_bundle = stack.directory / "trust_bundle.pem"
    good = trust_bundle.read_bytes()
    trust_bundle.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
    try:
        done = stack.run("doctor")
    finally:
        trust_bundle.write_bytes(good)
    assert done.returncode == 1
    assert '"trust bundle"' in done.stdout


def test_a_killed_stack_leaves_nothing_running_and_loses_nothing(stack_dir: Path) -> None:
    tenant = str(uuid.uuid4())
    with own_stack(stack_dir, "--runners", "1") as stack:
        stack.result("publish", EXAMPLE)
        stack.result("install", "acme.agreements", "--tenant", tenant)
        processes = stack.processes()
        assert len(processes) >= 4
        stack.process.kill()
        stack.process.wait()
        wait_until(lambda: not any(lives(process) for process in processes), 10)
        killed = stack.error("executions", "--tenant", tenant)
        assert "was killed" in killed["message"]
        assert stack.run("doctor").returncode == 1
    with own_stack(stack_dir, "--runners", "1") as stack:
        assert status_of(stack, tenant) == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything(stack_dir: Path, number: signal.Signals) -> None:
    with own_stack(stack_dir, "--runners", "1") as stack:
        processes = stack.processes()
        stack.process.send_signal(number)
        assert stack.process.wait(20) == 0, stack.log
        assert not any(lives(process) for process in processes)
        assert not (stack.directory / "stack.json").exists()


def test_a_signal_while_it_starts_leaves_nothing_running(stack_dir: Path) -> None:
    with launched(stack_dir) as stack:
        wait_until(lambda: any("registry_service" in command_line_of(p) for p in stack.processes()))
        processes = stack.processes()
        stack.process.terminate()
        assert stack.process.wait(20) == 0, stack.log
        assert not any(lives(process) for process in processes)
        assert not stack.is_ready


def test_a_service_with_bad_settings_is_told_with_its_log(stack_dir: Path) -> None:
    bad = {"REGISTRY_DATABASE_MAX_CONNECTIONS": "many"}
    with launched(stack_dir, environment=bad) as stack:
        assert stack.process.wait(60) == 1
        assert "REGISTRY_DATABASE_MAX_CONNECTIONS" in stack.log
        assert "Traceback" not in stack.log
        assert not stack.is_ready
