"""Errors as RFC 9457 tells them."""

import json
from typing import Any

import pytest

from gateway_shim.problem import problem
from shared.errors import (
    ComponentInvalidError,
    EndpointNotFoundError,
    ExtensionError,
    Fault,
    InternalError,
    MethodNotAllowedError,
    RunnerSaturatedError,
    UnauthenticatedError,
)


def told(error: ExtensionError) -> tuple[int, dict[str, str], dict[str, Any]]:
    answer = problem(error, "r-1")
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return answer.status, headers, json.loads(answer.body)


@pytest.mark.parametrize("reason", ExtensionError.table())
def test_every_error_can_be_told(reason: str) -> None:
    row = ExtensionError.table()[reason]
    status, headers, document = told(row("Because."))
    assert 400 <= status <= 599
    assert document["status"] == status
    assert document["reason"] == reason.lower()
    assert document["title"] == row.title()
    assert document["detail"] == "Because."
    assert document["type"].endswith(reason.lower())
    assert document["request_id"] == headers["x-request-id"] == "r-1"
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_faults_are_told_with_their_places() -> None:
    _, _, document = told(InternalError(faults=[Fault("a.b", "code", "Wrong.", "Do this.")]))
    assert document["faults"] == [
        {"path": "a.b", "code": "code", "message": "Wrong.", "hint": "Do this."}
    ]
    assert "faults" not in told(InternalError())[2]


@pytest.mark.parametrize(("ms", "seconds"), [(1, "1"), (1000, "1"), (1001, "2"), (0, "1")])
def test_retry_after_is_whole_seconds_rounded_up(ms: int, seconds: str) -> None:
    assert told(RunnerSaturatedError(retry_after_ms=ms))[1]["retry-after"] == seconds
    assert "retry-after" not in told(RunnerSaturatedError())[1]


def test_the_headers_that_a_status_requires_are_there() -> None:
    assert told(UnauthenticatedError())[1]["www-authenticate"] == "Bearer"
    assert told(MethodNotAllowedError(allow="GET"))[1]["allow"] == "GET"
    assert "allow" not in told(EndpointNotFoundError(allow="GET"))[1]


def test_a_runners_refusal_of_a_component_blames_no_caller() -> None:
    assert told(ComponentInvalidError())[0] == 502
