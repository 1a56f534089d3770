"""A caller's view of the whole platform, over HTTP."""

import uuid

import pytest

from tests.fixtures.platform import Platform

MIB = 1024 * 1024


def test_what_a_post_stored_comes_back(platform: Platform, tenant: str, agreements: str) -> None:
    created = platform.call("POST", f"{agreements}/agreements", tenant, b'{"title": "Lease"}')
    assert created.status == 201
    read = platform.call("GET", f"{agreements}/agreements/{created.body['id']}", tenant)
    assert (read.status, read.body["title"]) == (200, "Lease")
    listed = platform.call("GET", f"{agreements}/agreements", tenant)
    assert listed.body["greeting"] == "Hi"
    assert created.body["id"] in [row["id"] for row in listed.body["agreements"]]


def test_records_of_one_tenant_are_not_there_for_another(
    platform: Platform, tenant: str, agreements: str
) -> None:
    created = platform.call("POST", f"{agreements}/agreements", tenant, b'{"title": "Mine"}')
    other = str(uuid.uuid4())
    platform.stack.result("install", "acme.agreements", "--tenant", other)
    assert platform.call("GET", f"{agreements}/agreements", other).body["agreements"] == []
    read = platform.call("GET", f"{agreements}/agreements/{created.body['id']}", other)
    assert read.status == 404


def test_a_tenant_without_the_install_gets_404(platform: Platform, agreements: str) -> None:
    answer = platform.call("GET", f"{agreements}/agreements", str(uuid.uuid4()))
    assert (answer.status, answer.body["reason"]) == (404, "extension_not_available")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["request_id"] == answer.headers["x-request-id"]


def test_no_token_gets_401(platform: Platform, agreements: str) -> None:
    answer = platform.call("GET", f"{agreements}/agreements")
    assert (answer.status, answer.body["reason"]) == (401, "unauthenticated")


def test_an_undeclared_path_gets_404_and_another_method_405(
    platform: Platform, tenant: str, agreements: str
) -> None:
    answer = platform.call("GET", f"{agreements}/elsewhere", tenant)
    assert (answer.status, answer.body["reason"]) == (404, "endpoint_not_found")
    answer = platform.call("PUT", f"{agreements}/agreements", tenant)
    assert (answer.status, answer.body["reason"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("throw", (502, "guest_trapped")),
        ("recurse", (502, "guest_trapped")),
        ("loop", (504, "guest_timed_out")),
        ("alloc?mb=4000", (502, "guest_out_of_memory")),
        ("status?code=99", (502, "guest_response_invalid")),
        ("headers?n=100000", (502, "guest_response_invalid")),
        ("big?bytes=2900000", (502, "guest_response_invalid")),
    ],
)
def test_a_guest_that_fails_is_told_and_the_next_call_works(
    platform: Platform, tenant: str, hostile: str, path: str, outcome: tuple[int, str]
) -> None:
    answer = platform.call("GET", f"{hostile}/{path}", tenant)
    assert (answer.status, answer.body["reason"]) == outcome
    after = platform.call("POST", f"{hostile}/echo", tenant, b"still there")
    assert (after.status, after.body) == (200, b"still there")


def test_a_guest_cannot_start_another_header(platform: Platform, tenant: str, hostile: str) -> None:
    answer = platform.call("GET", f"{hostile}/split", tenant)
    assert answer.status == 502
    assert "set-cookie" not in answer.headers


def test_a_body_over_the_limit_gets_413(platform: Platform, tenant: str, hostile: str) -> None:
    body = bytes(10 * MIB + 1)
    answer = platform.call("POST", f"{hostile}/echo", tenant, body)
    assert (answer.status, answer.body["reason"]) == (413, "payload_too_large")


def test_a_disabled_install_stops_being_served(platform: Platform, agreements: str) -> None:
    tenant = str(uuid.uuid4())
    platform.stack.result("install", "acme.agreements", "--tenant", tenant)
    platform.stack.result("disable", "acme.agreements", "--tenant", tenant)
    assert platform.call("GET", f"{agreements}/agreements", tenant).status == 404
    platform.stack.result("enable", "acme.agreements", "--tenant", tenant)
