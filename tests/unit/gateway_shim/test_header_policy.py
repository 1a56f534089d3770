"""Only listed headers reach a guest."""

import pytest

from gateway_shim.header_policy import MAX_HEADERS, MAX_VALUE_BYTES, guest_headers
from shared.errors import ArgumentInvalidError


def test_listed_headers_pass_in_order_with_the_request_id_first() -> None:
    given = [(b"accept", b"a/b"), (b"content-type", b"text/plain"), (b"accept", b"c/d")]
    assert guest_headers(given, "r-1") == [
        ("x-request-id", "r-1"),
        ("accept", "a/b"),
        ("content-type", "text/plain"),
        ("accept", "c/d"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        b"authorization", b"cookie", b"host", b"connection", b"transfer-encoding", b"te",
        b"content-length", b"x-alga-tenant", b"x-alga-extension", b"x-ext-install-id",
        b"x-tenant-id", b"x-user-id", b"x-user-email", b"x-forwarded-for", b"forwarded",
        b"x-request-id", b"x-runner-auth", b"x-api-key", b"proxy-authorization", b"origin",
        b"x_tenant_id", b"accept ", b"traceparent",
    ],
)  # fmt: skip
def test_no_other_header_passes(name: bytes) -> None:
    assert guest_headers([(name, b"evil")], "r-1") == [("x-request-id", "r-1")]


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\x00", b"\xff", b"a\x7f", b"x" * 4097])
def test_a_listed_header_with_a_bad_value_is_refused_without_repeating_it(value: bytes) -> None:
    with pytest.raises(ArgumentInvalidError) as caught:
        guest_headers([(b"accept", value)], "r-1")
    assert value.decode("latin-1") not in caught.value.message


def test_too_many_or_too_long_headers_are_refused() -> None:
    with pytest.raises(ArgumentInvalidError):
        guest_headers([(b"x-other", b"")] * (MAX_HEADERS + 1), "r-1")
    with pytest.raises(ArgumentInvalidError):
        guest_headers([(b"accept", b"x" * MAX_VALUE_BYTES)] * 3, "r-1")
