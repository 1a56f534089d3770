"""What of a guest's answer reaches the caller."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.answer import Answer
from gateway_shim.dispatch import GuestResponse
from gateway_shim.respond import respond
from shared.errors import GuestResponseInvalidError


def answer(
    *headers: tuple[str, str], status: int = 200, body: bytes | None = b"{}", limit: int = 100
) -> Answer:
    return respond(GuestResponse(status, headers, body), request_id="r-1", max_body_bytes=limit)


def value(answered: Answer, name: str) -> str | None:
    found = [v.decode() for n, v in answered.headers if n == name.encode()]
    assert len(found) <= 1, f"{name} is given twice"
    return found[0] if found else None


def test_a_plain_answer_passes_with_what_every_answer_has() -> None:
    got = answer(("Content-Type", "application/json; charset=utf-8"))
    assert (got.status, got.body) == (200, b"{}")
    assert value(got, "content-type") == "application/json; charset=utf-8"
    assert value(got, "cache-control") == "private, no-store"
    assert value(got, "x-content-type-options") == "nosniff"
    assert value(got, "x-request-id") == "r-1"
    assert value(got, "content-security-policy") is None


@pytest.mark.parametrize("status", [-1, 0, 100, 101, 199, 600, 65535])
def test_a_status_that_is_none_is_refused(status: int) -> None:
    with pytest.raises(GuestResponseInvalidError):
        answer(status=status)


def test_a_body_over_the_limit_is_refused() -> None:
    assert answer(body=b"x" * 100).body == b"x" * 100
    with pytest.raises(GuestResponseInvalidError):
        answer(body=b"x" * 101)


@pytest.mark.parametrize(
    "name",
    [
        "set-cookie", "Set-Cookie2", "access-control-allow-origin", "access-control-allow-headers",
        "strict-transport-security", "service-worker-allowed", "clear-site-data", "refresh", "link",
        "connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "content-length",
        "www-authenticate", "server", "date", "x-request-id", "content-security-policy",
        "x-content-type-options", "content-disposition", "public-key-pins", "x-frame-options",
        "x-ext-", "x-ext-a b", "x-ext-a\r\nset-cookie", "x-alga-tenant", "", "set-cookie\r\nx",
    ],
)  # fmt: skip
def test_a_header_that_is_not_listed_is_left_out(name: str) -> None:
    plain = {n for n, _ in answer().headers}
    got = answer((name, "evil"))
    assert {n for n, _ in got.headers} == plain
    assert not any(v == b"evil" for _, v in got.headers)


def test_extension_headers_pass() -> None:
    got = answer(("X-Ext-Warning", "slow"), ("x-ext-page", "2"))
    assert value(got, "x-ext-warning") == "slow"
    assert value(got, "x-ext-page") == "2"


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("x-ext-a", "a\r\nset-cookie: b"),
        ("x-ext-a", "a\nb"),
        ("x-ext-a", "a\x00"),
        ("x-ext-a", "é"),
        ("content-type", "text"),
        ("content-type", "text/html\r\n\r\n<script>"),
        ("content-type", "text/html, text/plain"),
        ("etag", "abc"),
        ("etag", '"a"b"'),
        ("content-encoding", "gzip"),
        ("location", "https://evil.test/"),
        ("location", "//evil.test/"),
        ("location", "/\\evil.test"),
        ("location", "\\\\evil.test"),
        ("location", "javascript:alert(1)"),
        ("location", "/a/../../logout"),
        ("location", "../x"),
        ("location", "/%2e%2e/x"),
        ("location", "/a\tb"),
        ("location", ""),
    ],
)
def test_a_listed_header_that_could_do_harm_is_refused(name: str, bad: str) -> None:
    with pytest.raises(GuestResponseInvalidError):
        answer((name, bad))


@pytest.mark.parametrize("good", ["/a/b?c#d", "a", "a/b", "?page=2", "#x", "/", "/a:b", "/%7Ex"])
def test_a_location_on_this_origin_passes(good: str) -> None:
    assert value(answer(("location", good), status=303), "location") == good


def test_headers_are_bounded_and_not_doubled() -> None:
    with pytest.raises(GuestResponseInvalidError):
        answer(*[(f"x-ext-{n}", "v") for n in range(33)])
    with pytest.raises(GuestResponseInvalidError):
        answer(("x-ext-a", "v" * 9000))
    with pytest.raises(GuestResponseInvalidError):
        answer(("content-type", "text/plain"), ("Content-Type", "text/html"))
    assert answer(*[(f"x-other-{n}", "v" * 9000) for n in range(100)]).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html", "TEXT/HTML; charset=utf-8", "image/svg+xml", "application/xhtml+xml",
        "text/xml", "application/xml", "application/pdf", "text/javascript", "x/unknown",
        "multipart/x-mixed-replace", "text/html;a=application/json",
    ],
)  # fmt: skip
def test_what_a_browser_might_run_is_sandboxed(content_type: str) -> None:
    got = answer(("content-type", content_type), body=b"<script>")
    assert value(got, "content-security-policy") == "sandbox; default-src 'none'"
    assert value(got, "x-content-type-options") == "nosniff"


@pytest.mark.parametrize(
    "content_type", ["application/problem+json", "text/plain;charset=utf-8", "image/png"]
)
def test_what_a_browser_only_shows_is_not(content_type: str) -> None:
    assert value(answer(("content-type", content_type)), "content-security-policy") is None


def test_a_body_without_a_type_is_bytes() -> None:
    assert value(answer(), "content-type") == "application/octet-stream"
    assert value(answer(body=None), "content-type") is None


@pytest.mark.parametrize(
    ("given_value", "status", "sent"),
    [
        ("max-age=60", 200, "private, max-age=60"),
        ("public, max-age=31536000, immutable", 200, "private, max-age=86400"),
        ("s-maxage=60", 200, "private, no-store"),
        ("public", 200, "private, no-store"),
        ("no-cache", 200, "private, no-cache"),
        ("max-age=60, must-revalidate", 200, "private, max-age=60, must-revalidate"),
        ("no-store, max-age=60", 200, "private, no-store"),
        ("max-age=60", 304, "private, max-age=60"),
        ("max-age=60", 404, "private, no-store"),
        ("max-age=60", 500, "private, no-store"),
        ("max-age=99999999999999999", 200, "private, no-store"),
    ],
)
def test_caching_is_for_the_caller_only(given_value: str, status: int, sent: str) -> None:
    assert value(answer(("cache-control", given_value), status=status), "cache-control") == sent


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    got = answer(("content-type", "text/html"), status=status, body=b"x")
    assert got.body == b""
    assert value(got, "content-type") is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["content-type", "location", "etag", "x-ext-a", "cache-control", "x"])
            | st.text(max_size=12),
            st.text(max_size=30),
        ),
        max_size=5,
    ),
    st.integers(0, 70_000),
)
def test_no_answer_splits(headers: list[tuple[str, str]], status: int) -> None:
    try:
        got = answer(*headers, status=status)
    except GuestResponseInvalidError:
        return
    for name, sent in got.headers:
        assert name.isascii()
        assert name == name.lower()
        assert not any((byte < 32 and byte != 9) or byte > 126 for byte in name + sent)
