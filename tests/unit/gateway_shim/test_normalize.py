"""An accepted address is exactly what the guest sees, and nothing else can be read into it."""

import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.normalize import (
    MAX_PATH_BYTES,
    MAX_QUERY_BYTES,
    MAX_SEGMENTS,
    normalize_path,
    parse_extension,
    parse_method,
    parse_target,
)
from shared.errors import ArgumentInvalidError, MethodNotAllowedError


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/%61", "/a"),
        (b"/agreements", "/agreements"),
        (b"/agreements/", "/agreements"),
        (b"/a/b%20c", "/a/b%20c"),
        (b"/caf%c3%a9", "/caf%C3%A9"),
        (b"/%61greements", "/agreements"),
        (b"/a;v=1/b", "/a;v=1/b"),
        (b"/%3aid%40x", "/:id@x"),
        (b'/"<>^`{|}', "/%22%3C%3E%5E%60%7B%7C%7D"),
        (b"/100%25", "/100%25"),
        (b"/...", "/..."),
        (b"/.well-known", "/.well-known"),
    ],
)
def test_a_plain_path_has_one_form(raw: bytes, path: str) -> None:
    assert normalize_path(raw) == path


@pytest.mark.parametrize(
    "raw",
    [
        b"/..", b"/a/../b", b"/a/..", b"/.", b"/a/./b", b"/%2e%2e/b", b"/a/%2E", b"/.%2e/b",
        b"//", b"//a", b"/a//b", b"/a//", b"/%2fa", b"/a%2Fb", b"/a%5cb", b"/a\\b", b"/a%00b",
        b"/%252e%252e/a", b"/a%252fb", b"/a%25zz%252f", b"/a%2520b", b"/%", b"/%2", b"/%zz",
        b"/a%0ab", b"/a%0d%0ax:1", b"/a%7f", b"/a%c2%85", b"/a%3fb=c", b"/a%23b", b"/a#b",
        b"/%c0%ae%c0%ae/", b"/%ff", b"/%e2%80%a8", b"/%ed%a0%80", b"/a\tb",
        b"/" + b"a/" * (MAX_SEGMENTS + 1) + b"a",
    ],
)  # fmt: skip
def test_a_path_with_a_second_reading_is_refused(raw: bytes) -> None:
    with pytest.raises(ArgumentInvalidError):
        normalize_path(raw)


@given(st.binary(max_size=60))
def test_what_is_accepted_has_one_form_and_nothing_to_resolve(tail: bytes) -> None:
    try:
        path = normalize_path(b"/" + tail)
    except ArgumentInvalidError:
        return
    assert re.fullmatch(r"/[!-~]*", path)
    assert normalize_path(path.encode()) == path
    decoded = unquote(path, errors="strict")
    assert unquote(decoded) == decoded, "it could be decoded twice"
    assert decoded.count("/") == path.count("/")
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\\?#" for c in decoded)
    if path != "/":
        assert not {"", ".", ".."} & set(decoded[1:].split("/"))


@given(
    st.lists(
        st.text(
            st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\?#%"), min_size=1
        ).filter(lambda s: s not in (".", "..")),
        min_size=1,
        max_size=5,
    )
)
def test_any_plain_path_passes_however_much_of_it_is_escaped(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    fully = "/" + "/".join("".join(f"%{b:02X}" for b in s.encode()) for s in segments)
    assert unquote(normalize_path(quote(path).encode())) == path
    assert normalize_path(fully.encode()) == normalize_path(quote(path).encode())


def test_the_url_is_the_path_and_the_query_untouched() -> None:
    target = parse_target(b"/api/ext/Acme.Agreements/a%20b/", b"x=%2e%2e&y=1&y=2")
    assert target.extension == "acme.agreements"
    assert target.url == "/a%20b?x=%2e%2e&y=1&y=2"
    assert parse_target(b"/api/ext/acme.a", b"").url == "/"


@pytest.mark.parametrize("query", [b"a b", b"a\x00", b"a\r\n", b"\xff", b"a#b"])
def test_a_query_with_a_raw_special_is_refused(query: bytes) -> None:
    with pytest.raises(ArgumentInvalidError, match="query"):
        parse_target(b"/api/ext/acme.a/x", query)


def test_sizes_are_judged_before_anything_else() -> None:
    with pytest.raises(ArgumentInvalidError, match="longer"):
        parse_target(b"/api/ext/acme.a/" + b"%zz" * MAX_PATH_BYTES, b"")
    with pytest.raises(ArgumentInvalidError, match="longer"):
        parse_target(b"/api/ext/acme.a/", b"\x00" * (MAX_QUERY_BYTES + 1))


def test_a_prefix_that_only_decodes_to_ours_is_refused() -> None:
    with pytest.raises(ArgumentInvalidError):
        parse_target(b"/api/ext%2Facme.a/x", b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"acme.agreements", b"ACME.Agreements", b"acme.crm.contacts",
        b"5f0c54d4-5c3c-4f43-8c5e-0a4f9b1f2d3e", b"018F0000-0000-7000-8000-000000000000",
    ],
)  # fmt: skip
def test_an_extension_is_an_id_or_publisher_and_name(raw: bytes) -> None:
    assert parse_extension(raw) == raw.decode().lower()


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"agreements", b".", b"..", b"acme.", b".acme", b"acme..x", b"ac%6de.x", b"acme.x'--",
        b"\xc3\xa9.x", b"5f0c54d45c3c4f438c5e0a4f9b1f2d3e",
        b"{5f0c54d4-5c3c-4f43-8c5e-0a4f9b1f2d3e}",
        b"a." + b"x" * 300,
    ],
)  # fmt: skip
def test_another_extension_is_refused(raw: bytes) -> None:
    with pytest.raises(ArgumentInvalidError):
        parse_extension(raw)


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", ""])
def test_another_method_is_refused_with_those_there_are(method: str) -> None:
    with pytest.raises(MethodNotAllowedError) as caught:
        parse_method(method)
    assert caught.value.metadata["allow"] == "DELETE, GET, HEAD, PATCH, POST, PUT"
