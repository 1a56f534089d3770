"""The agreements extension: every build of it gives the same answers, and the right ones."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner_service.abi.values import Case, Err, GuestRequest, GuestResponse, Ok, Value
from runner_service.engine import CompiledComponent, Engine
from shared.bundles.component import check_component
from shared.bundles.manifest import check_manifest_against_files, parse_manifest
from tests.fixtures.guests.answers import Answer, Answers, limits

ROOT = Path(__file__).resolve().parents[3]
AGREEMENTS = ROOT / "examples" / "agreements"
CHECKED_IN = {
    "agreements": (AGREEMENTS / "dist" / "main.wasm", AGREEMENTS / "dist" / "build.json"),
    "hostile": (
        ROOT / "tests" / "fixtures" / "guests" / "hostile.wasm",
        ROOT / "tests" / "fixtures" / "guests" / "hostile.build.json",
    ),
}
BUILDS = ("checked-in", "quickjs", "starlingmonkey")
JSON_HEADERS = (("content-type", "application/json"), ("cache-control", "no-store"))

# The first build installs the tools; the larger component takes ten seconds to compile.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="session")
def built() -> Mapping[str, Any]:
    done = subprocess.run(
        [sys.executable, "examples/build.py", "--json"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    guests: Mapping[str, Any] = json.loads(done.stdout)
    return guests


@pytest.fixture(scope="session")
def components(built: Mapping[str, Any]) -> Mapping[str, bytes]:
    fresh = built["agreements"]["components"]
    paths = {name: Path(path) for name, path in fresh.items()}
    paths["checked-in"] = CHECKED_IN["agreements"][0]
    return {name: path.read_bytes() for name, path in paths.items()}


@pytest.fixture(scope="session", params=BUILDS)
def guest(
    request: pytest.FixtureRequest, engine: Engine, components: Mapping[str, bytes]
) -> CompiledComponent:
    return engine.compile(components[request.param])


@dataclass
class Install:
    """One install's records, settings and log, as a guest meets them through its host."""

    config: dict[str, str] = field(default_factory=lambda: {"greeting": "Hello"})
    records: dict[tuple[str, str], tuple[bytes, int]] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    instead: Mapping[str, Answer] = field(default_factory=dict)

    def host(self) -> Answers:
        user: dict[str, Value] = {
            "tenant-id": "t",
            "client-name": "",
            "user-id": "u-1",
            "user-email": "",
            "user-name": "Ada",
            "user-type": "internal",
        }
        answers: dict[str, Answer] = {
            "storage.get": self._get,
            "storage.put": self._put,
            "storage.delete": self._delete,
            "storage.list-entries": self._list,
            "store.get": lambda key: Ok(self.config.get(key)),
            "user.get-user": Ok(user),
        }
        for level in ("info", "warn", "error"):
            answers[f"logging.log-{level}"] = lambda text, level=level: self.log.append(
                (level, text)
            )
        return Answers(answers | dict(self.instead))

    def _get(self, namespace: str, key: str) -> Value:
        found = self.records.get((namespace, key))
        return Ok(_entry(namespace, key, *found)) if found else Err("missing")

    def _put(self, entry: dict[str, Any]) -> Value:
        place = (entry["namespace"], entry["key"])
        stored = self.records.get(place, (b"", 0))[1]
        if entry["revision"] not in (None, stored):
            return Err("conflict")
        self.records[place] = (entry["value"], stored + 1)
        return Ok(_entry(*place, *self.records[place]))

    def _delete(self, namespace: str, key: str) -> Value:
        return Ok() if self.records.pop((namespace, key), None) else Err("conflict")

    def _list(self, namespace: str, cursor: str | None) -> Value:
        after: list[Value] = [
            _entry(*place, *record)
            for place, record in sorted(self.records.items())
            if place[0] == namespace and place[1] > (cursor or "")
        ]
        return Ok(after[:25])


def _entry(namespace: str, key: str, value: bytes, revision: int) -> dict[str, Value]:
    return {"namespace": namespace, "key": key, "value": value, "revision": revision}


@dataclass(frozen=True)
class Caller:
    engine: Engine
    guest: CompiledComponent
    install: Install

    def __call__(
        self, method: str, url: str, body: bytes | None = None, request_id: str | None = "r-1"
    ) -> GuestResponse:
        request = GuestRequest(
            tenant_id="t",
            extension_id="e",
            method=method,
            url=url,
            body=body,
            request_id=request_id,
        )
        run = self.engine.run(self.guest, request, self.install.host(), limits(128))
        assert run.failure is None, run.failure
        assert run.response is not None
        return run.response


@pytest.fixture
def install() -> Install:
    return Install()


@pytest.fixture
def call(engine: Engine, guest: CompiledComponent, install: Install) -> Caller:
    return Caller(engine, guest, install)


def content(response: GuestResponse) -> Any:
    assert response.body is not None
    return json.loads(response.body)


@pytest.mark.parametrize("name", CHECKED_IN)
def test_the_checked_in_build_is_of_these_sources(built: Mapping[str, Any], name: str) -> None:
    component, record_file = CHECKED_IN[name]
    record = json.loads(record_file.read_text())
    digest = hashlib.sha256(component.read_bytes()).hexdigest()
    assert record["source_hash"] == built[name]["source_hash"]
    assert record["component_sha256"] == digest
    checksum = component.with_name(f"{component.name}.sha256").read_text()
    assert checksum == f"{digest}  {component.name}\n"


@pytest.mark.parametrize("build", BUILDS)
def test_every_build_may_be_published(components: Mapping[str, bytes], build: str) -> None:
    outline = check_component(components[build])
    assert "handler" in outline.exports
    assert "wasi:config/store@0.2.0-rc.1" in outline.imports


def test_the_manifest_has_no_fault_and_names_files_that_are_there() -> None:
    manifest, warnings = parse_manifest((AGREEMENTS / "manifest.json").read_bytes())
    assert warnings == []
    files = [str(path.relative_to(AGREEMENTS)) for path in AGREEMENTS.rglob("*") if path.is_file()]
    check_manifest_against_files(manifest, files)


def test_the_lock_file_and_the_page_name_no_address() -> None:
    for path in [AGREEMENTS / "package-lock.json", *(AGREEMENTS / "ui").iterdir()]:
        assert "://" not in path.read_text(), path


def test_the_page_runs_under_a_policy_of_self() -> None:
    page = (AGREEMENTS / "ui" / "index.html").read_text()
    assert "<style" not in page
    assert "style=" not in page
    assert " on" not in page.replace(" only", "")
    assert page.count("<script") == page.count('<script type="module" src="main.js">') == 1


def test_an_empty_list_has_the_installs_greeting(call: Caller) -> None:
    response = call("GET", "/agreements")
    assert (response.status, response.headers) == (200, JSON_HEADERS)
    assert content(response) == {"greeting": "Hello", "agreements": [], "next_cursor": None}


def test_what_is_posted_is_stored_logged_and_given_back(call: Caller, install: Install) -> None:
    posted = '{"title": " Lease é😀 ", "counterparty": "Bob"}'.encode()
    created = call("POST", "/agreements", posted, "req-1")
    agreement = {
        "id": "req-1",
        "title": "Lease é😀",
        "counterparty": "Bob",
        "created_by": "Ada",
    }
    assert (created.status, content(created)) == (201, agreement)
    assert created.headers == (*JSON_HEADERS, ("location", "agreements/req-1"))
    assert install.records == {("agreements", "req-1"): (created.body, 1)}
    assert install.log == [("info", "agreement req-1 created")]
    assert content(call("GET", "/agreements"))["agreements"] == [agreement]
    assert call("GET", "/agreements/req-1").body == created.body


def test_a_repeated_request_makes_no_second_agreement(call: Caller, install: Install) -> None:
    assert call("POST", "/agreements", b'{"title": "first"}').status == 201
    again = call("POST", "/agreements", b'{"title": "second"}')
    assert (again.status, content(again)["error"]) == (409, "agreement_exists")
    assert len(install.log) == 1
    assert content(call("GET", "/agreements/r-1"))["title"] == "first"


def test_a_deleted_agreement_is_gone(call: Caller, install: Install) -> None:
    call("POST", "/agreements", b'{"title": "x"}')
    deleted = call("DELETE", "/agreements/r-1?why=over")
    assert (deleted.status, deleted.headers, deleted.body) == (204, (), None)
    assert install.records == {}
    assert install.log[-1] == ("info", "agreement r-1 deleted")
    for method in ("GET", "DELETE"):
        gone = call(method, "/agreements/r-1")
        assert (gone.status, content(gone)["error"]) == (404, "agreement_not_found")


def test_pages_follow_each_other_without_a_gap(call: Caller, install: Install) -> None:
    ids = [f"id-{number:02}" for number in range(51)]
    for key in ids:
        install.records["agreements", key] = (json.dumps({"id": key}).encode(), 1)
    install.records["elsewhere", "id-99"] = (b"{}", 1)
    seen, url, cursor = [], "/agreements", None
    for _ in range(3):
        page = content(call("GET", url))
        seen += [agreement["id"] for agreement in page["agreements"]]
        cursor = page["next_cursor"]
        url = f"/agreements?cursor={cursor}"
    assert seen == ids
    assert cursor is None


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (None, 400, "body_missing"),
        (b"", 400, "body_missing"),
        (b"{", 400, "json_invalid"),
        (b"[]", 400, "json_invalid"),
        (b"null", 400, "json_invalid"),
        (b'{"title": "\xc0\x80"}', 400, "json_invalid"),
        (b'{"title": "\xed\xa0\x80"}', 400, "json_invalid"),
        (b'\xef\xbb\xbf{"title": "x"}', 400, "json_invalid"),
        (b"[" * 16_000, 400, "json_invalid"),
        (b'"' + b'\\"' * 8_000, 400, "json_invalid"),
        (b'{"title":' * 1_700, 400, "json_invalid"),
        (b'{"title": "' + b"x" * 16_384 + b'"}', 413, "body_too_large"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    call: Caller, install: Install, body: bytes | None, status: int, error: str
) -> None:
    response = call("POST", "/agreements", body)
    assert (response.status, content(response)["error"]) == (status, error)
    assert install.records == {}
    assert install.log == []


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b"{}", {"title": "is missing"}),
        (b'{"title": " "}', {"title": "must not be empty"}),
        (b'{"title": null}', {"title": "must be a string"}),
        (b'{"title": "' + b"x" * 201 + b'"}', {"title": "is longer than 200 characters"}),
        (rb'{"title": "a\u0000b"}', {"title": "holds control characters or half a character"}),
        (rb'{"title": "a\ud800b"}', {"title": "holds control characters or half a character"}),
        (
            b'{"counterparty": 4, "__proto__": {"title": "x"}, "id": "mine"}',
            {
                "__proto__": "is not known",
                "id": "is not known",
                "title": "is missing",
                "counterparty": "must be a string",
            },
        ),
    ],
)
def test_every_fault_of_an_agreement_is_told(
    call: Caller, install: Install, body: bytes, faults: dict[str, str]
) -> None:
    response = call("POST", "/agreements", body)
    assert (response.status, content(response)["error"]) == (400, "agreement_invalid")
    told = {fault["field"]: fault["message"] for fault in content(response)["faults"]}
    assert told == faults
    assert install.records == {}


@pytest.mark.parametrize("characters", ["😀" * 200, "%41%zz", '\\"/</script>'])
def test_a_title_comes_back_as_it_was(call: Caller, characters: str) -> None:
    created = call("POST", "/agreements", json.dumps({"title": characters}).encode())
    assert created.status == 201
    assert content(call("GET", "/agreements/r-1"))["title"] == characters


@pytest.mark.parametrize("request_id", [None, "", "a/b", "a b", "x" * 129])
def test_a_request_id_that_is_no_key_makes_no_agreement(
    call: Caller, install: Install, request_id: str | None
) -> None:
    response = call("POST", "/agreements", b'{"title": "x"}', request_id)
    assert (response.status, content(response)["error"]) == (400, "request_id_unusable")
    assert install.records == {}


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/", 404),
        ("GET", "agreements", 404),
        ("GET", "/agreements/", 404),
        ("GET", "/agreements/a/b", 404),
        ("GET", "/agreements/%2e%2e", 404),
        ("GET", "/__proto__", 404),
        ("PUT", "/agreements", 405),
        ("constructor", "/agreements", 405),
        ("POST", "/agreements/a", 405),
        ("GET", "/agreements?cursor=a/b", 400),
    ],
)
def test_what_is_no_route_is_refused(call: Caller, method: str, url: str, status: int) -> None:
    response = call(method, url, b'{"title": "x"}')
    assert response.status == status
    assert content(response)["message"]


@pytest.mark.parametrize(
    ("storage_error", "status"), [("denied", 403), ("internal", 503), ("conflict", 409)]
)
def test_a_storage_error_becomes_a_status(
    call: Caller, install: Install, storage_error: str, status: int
) -> None:
    install.instead = {"storage.put": Err(storage_error), "storage.list-entries": Err("denied")}
    assert call("POST", "/agreements", b'{"title": "x"}').status == status
    assert call("GET", "/agreements").status == 403
    assert install.log == []


@pytest.mark.parametrize("user_error", ["not-available", "not-allowed"])
def test_an_unknown_user_leaves_no_name(call: Caller, install: Install, user_error: str) -> None:
    install.instead = {"user.get-user": Err(user_error)}
    assert content(call("POST", "/agreements", b'{"title": "x"}'))["created_by"] is None


def test_an_install_without_the_setting_gets_a_greeting_of_its_own(
    call: Caller, install: Install
) -> None:
    install.config.clear()
    assert content(call("GET", "/agreements"))["greeting"] == "Your agreements"
    assert install.log == []


def test_an_unreadable_setting_is_no_reason_to_fail(call: Caller, install: Install) -> None:
    install.instead = {"store.get": Err(Case("io", "not an object"))}
    assert content(call("GET", "/agreements"))["greeting"] == "Your agreements"
    assert install.log == [("warn", 'the setting "greeting" could not be read')]
