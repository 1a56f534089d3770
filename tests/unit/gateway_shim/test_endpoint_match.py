"""The most specific endpoint wins, whatever the order of declaration."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.endpoint_match import Endpoint, EndpointMatcher
from shared.errors import EndpointNotFoundError, MethodNotAllowedError


def matcher(*declared: str) -> EndpointMatcher:
    return EndpointMatcher([Endpoint(*line.split()) for line in declared])


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/", "/"),
        ("/x/sync", "/x/sync"),
        ("/x/7", "/x/:id"),
        ("/x/7/y", "/x/:id/y"),
        ("/x/sync/y", "/x/:id/y"),
        ("/x/sync/z", "/x/sync/:other"),
    ],
)
def test_a_literal_wins_over_a_parameter(path: str, wanted: str) -> None:
    declared = ["GET /", "GET /x/:id", "GET /x/sync", "GET /x/:id/y", "GET /x/sync/:other"]
    if path == "/x/sync/y":
        declared.remove("GET /x/sync/:other")
    for order in itertools.permutations(declared):
        assert matcher(*order).match("GET", path).path == wanted


def test_the_literal_on_the_left_decides() -> None:
    both = matcher("GET /:a/y", "GET /x/:b")
    assert both.match("GET", "/x/y").path == "/x/:b"


@pytest.mark.parametrize("path", ["/", "/x", "/x/1/2", "/X/1", "/y/1"])
def test_an_undeclared_path_is_not_found(path: str) -> None:
    with pytest.raises(EndpointNotFoundError):
        matcher("GET /x/:id", "POST /x/:id").match("GET", path)


def test_another_method_tells_which_there_are() -> None:
    three = matcher("GET /x/:id", "PUT /x/:name", "DELETE /x/7", "POST /y")
    with pytest.raises(MethodNotAllowedError) as caught:
        three.match("POST", "/x/7")
    assert caught.value.metadata["allow"] == "DELETE, GET, HEAD, PUT"


def test_a_less_specific_endpoint_serves_a_method_that_the_more_specific_lacks() -> None:
    assert matcher("GET /x/sync", "POST /x/:id").match("POST", "/x/sync").path == "/x/:id"


def test_head_is_served_by_get_unless_declared() -> None:
    assert matcher("GET /x").match("HEAD", "/x").method == "GET"
    assert matcher("GET /x", "HEAD /x").match("HEAD", "/x").method == "HEAD"
    with pytest.raises(MethodNotAllowedError):
        matcher("POST /x").match("HEAD", "/x")


@pytest.mark.parametrize("declared", ["GET x", "GET /x/", "GET x/"])
def test_slashes_around_a_declared_path_do_not_matter(declared: str) -> None:
    assert matcher(declared).match("GET", "/x").path == declared.split()[1]


SEGMENT = st.sampled_from(["a", "b", ":p", ":q"])


@given(
    declared=st.lists(st.lists(SEGMENT, max_size=4), min_size=1, max_size=12),
    asked=st.lists(st.sampled_from(["a", "b", "c"]), max_size=4),
)
def test_it_finds_what_a_search_by_definition_finds(
    declared: list[list[str]], asked: list[str]
) -> None:
    fitting = [
        pattern
        for pattern in declared
        if len(pattern) == len(asked)
        and all(p.startswith(":") or p == s for p, s in zip(pattern, asked, strict=True))
    ]
    best = min(fitting, key=lambda p: [s.startswith(":") for s in p], default=None)
    compiled = EndpointMatcher([Endpoint("GET", "/" + "/".join(p)) for p in declared])
    path = "/" + "/".join(asked)
    if best is None:
        with pytest.raises(EndpointNotFoundError):
            compiled.match("GET", path)
        return
    found = compiled.match("GET", path).path[1:].split("/")
    shape = [":" if s.startswith(":") else s for s in found if s]
    assert shape == [":" if s.startswith(":") else s for s in best]


def test_no_set_of_endpoints_makes_matching_slow() -> None:
    # The classic trap: every step could go both ways. Each node is still visited once.
    patterns = ["/".join(p) for p in itertools.product(["a", ":p"], repeat=9)]
    compiled = EndpointMatcher([Endpoint("GET", f"/{p}/end") for p in patterns])
    started = time.perf_counter()
    with pytest.raises(EndpointNotFoundError):
        compiled.match("GET", "/" + "a/" * 9 + "nowhere")
    assert time.perf_counter() - started < 0.1
