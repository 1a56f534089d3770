"""The doctor on machines where something is wrong."""

import socket
from pathlib import Path
from typing import Any

import pytest

from extctl.dev_stack.keys import make_keys
from extctl.dev_stack.publisher import make_trust_bundle
from extctl.stack_file import StackFile, stack_lock, write_stack_file
from tests.fixtures.command_line import ExtCtl, Outcome


def verdicts(told: Outcome) -> dict[str, str]:
    return {finding["subject"]: finding["verdict"] for finding in told.result["findings"]}


def finding(told: Outcome, subject: str) -> Any:
    return next(f for f in told.result["findings"] if f["subject"] == subject)


def test_an_empty_directory_is_healthy(extctl: ExtCtl) -> None:
    told = extctl("doctor", "--json")
    assert told.code == 0
    assert verdicts(told)["stack"] == "warning"
    assert "failed" not in verdicts(told).values()


def test_a_taken_port_is_a_fault(extctl: ExtCtl) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = extctl("doctor", "--gateway-port", str(taken.getsockname()[1]), "--json")
    assert (told.code, verdicts(told)["gateway port"]) == (1, "failed")


def test_a_missing_bundle_directory_is_a_fault(extctl: ExtCtl, tmp_path: Path) -> None:
    url = (tmp_path / "no" / "such" / "parent").as_uri()
    told = extctl("doctor", "--bundle-store", url, "--json")
    assert (told.code, verdicts(told)["bundle store"]) == (1, "failed")


def test_a_server_that_does_not_answer_is_a_fault(
    extctl: ExtCtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTCTL_POSTGRES", "postgresql://owner:the-password@127.0.0.1:1/db")
    told = extctl("doctor", "--json")
    assert (told.code, verdicts(told)["postgresql"]) == (1, "failed")
    assert "the-password" not in told.out + told.err


def test_settings_are_told_by_name_only(extctl: ExtCtl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_S3_SECRET_ACCESS_KEY", "the-secret")
    told = extctl("doctor", "--json")
    assert "RUNNER_S3_SECRET_ACCESS_KEY" in finding(told, "settings")["detail"]
    assert "the-secret" not in told.out


def test_an_open_key_left_by_an_earlier_stack_is_a_fault(extctl: ExtCtl, tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", runners=1)
    (tmp_path / "keys" / "grant.pem").chmod(0o640)
    told = extctl("doctor", "--stack", tmp_path, "--json")
    assert told.code == 1
    assert verdicts(told)["key grant"] == "failed"
    assert verdicts(told)["key operator"] == "ok"
    assert "chmod" in finding(told, "key grant")["hint"]


def test_a_damaged_stack_file_is_a_fault(extctl: ExtCtl, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    told = extctl("doctor", "--stack", tmp_path, "--json")
    assert (told.code, verdicts(told)["stack"]) == (1, "failed")


def test_a_stack_whose_parts_are_down_is_told_part_by_part(extctl: ExtCtl, tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys", runners=1)
    publisher = make_trust_bundle(tmp_path)
    stack = StackFile(
        pid=1,
        gateway_url="http://127.0.0.1:1",
        registry_target="127.0.0.1:1",
        runner_targets=("127.0.0.1:1",),
        operator_key_file=keys.operator,
        trust_bundle_file=publisher.trust_bundle,
        publisher_key_file=publisher.private_key,
        token_key_file=keys.token_issuer,
        log_dir=tmp_path / "logs",
    )
    write_stack_file(tmp_path, stack)
    with stack_lock(tmp_path):
        told = extctl("doctor", "--stack", tmp_path, "--json")
    assert told.code == 1
    down = {subject for subject, verdict in verdicts(told).items() if verdict == "failed"}
    assert down == {"registry", "database", "runner 1", "gateway /healthz", "gateway /readyz"}
    assert "logs" in finding(told, "registry")["hint"]
