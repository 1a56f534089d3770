"""Revoking a key stops what runs, and nothing else: on real processes, over HTTP."""

import functools
import json
import shutil
import threading
import time
import uuid
from pathlib import Path
from typing import Self

import pytest

from tests.fixtures.platform import EXAMPLE, Answer, Platform

PROMISED_SECONDS = 30.0


@pytest.fixture
def renamed(tmp_path: Path) -> tuple[Path, str]:
    """The example under a name of its own, so that its key is nobody else's."""
    name = f"revocable-{uuid.uuid4().hex[:8]}"
    source = tmp_path / "extension"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("node_modules"))
    manifest = json.loads((source / "manifest.json").read_text())
    (source / "manifest.json").write_text(json.dumps(manifest | {"name": name}))
    return source, f"acme.{name}"


class Callers:
    """Calls an endpoint without a pause, and remembers what was not answered well."""

    def __init__(self, platform: Platform, path: str, tenant: str) -> None:
        self.failures: list[Answer] = []
        self.calls = 0
        self._stop = threading.Event()
        self._call = functools.partial(platform.call, "GET", path, tenant)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            answer = self._call()
            self.calls += 1
            if answer.status != 200:
                self.failures.append(answer)


def test_a_rotation_loses_no_call_and_a_revocation_stops_a_warm_version(
    platform: Platform, agreements: str, tenant: str, renamed: tuple[Path, str], tmp_path: Path
) -> None:
    source, extension = renamed
    stack, path = platform.stack, f"/api/ext/{renamed[1]}/agreements"
    old, new = tmp_path / "old.pem", tmp_path / "new.pem"
    old_id = stack.result("keygen", "--out", old, "--trust", "--publisher", "acme")["key_id"]
    time.sleep(6)  # the services read the trust bundle again
    owner = stack.directory / "keys" / "publisher.pem"
    stack.result("publish", source, "--key", old, "--owner-key", owner)
    stack.result("install", extension, "--tenant", tenant)
    with (
        Callers(platform, f"{agreements}/agreements", tenant) as bystander,
        Callers(platform, path, tenant) as running,
    ):
        stack.result("keygen", "--out", new, "--trust", "--publisher", "acme")
        time.sleep(12)  # the new key counts everywhere, and the old one still does
        assert not running.failures
        assert running.calls > 20

        stack.result("trust", "revoke", old_id)
        revoked_at = time.monotonic()
        while not running.failures:
            assert time.monotonic() - revoked_at < PROMISED_SECONDS
            time.sleep(0.05)
        time.sleep(2)
    assert {answer.status for answer in running.failures} <= {404, 502}
    assert running.failures[0].body["reason"] == "bundle_untrusted"
    assert platform.call("GET", path, tenant).status in (404, 502)
    refused = stack.error("install", extension, "--tenant", str(uuid.uuid4()))
    assert refused["reason"] == "BUNDLE_UNTRUSTED"
    assert not bystander.failures
    assert bystander.calls > 20
