"""Identifiers have one spelling each."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ArgumentInvalidError
from shared.identifiers import (
    content_hash_of_digest,
    is_request_id,
    new_request_id,
    parse_content_hash,
    parse_extension_name,
    parse_publisher,
    parse_uuid,
)


@given(st.binary(min_size=32, max_size=32))
def test_the_hash_of_a_digest_parses(digest: bytes) -> None:
    text = content_hash_of_digest(digest)
    assert parse_content_hash(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", "sha256:" + "A" * 64, "a" * 64, "sha256:" + "a" * 63, "sha512:" + "a" * 64,
     "sha256:" + "a" * 64 + "\n", "sha256:" + "\u0660" * 64],
)  # fmt: skip
def test_any_other_spelling_of_a_content_hash_is_refused(text: str) -> None:
    with pytest.raises(ArgumentInvalidError):
        parse_content_hash(text)


@given(st.uuids())
def test_a_uuid_has_one_form_in_either_case(value: uuid.UUID) -> None:
    assert parse_uuid(str(value), "tenant_id") == value
    assert parse_uuid(str(value).upper(), "tenant_id") == value
    for other in (value.hex, f"{{{value}}}", value.urn):
        with pytest.raises(ArgumentInvalidError, match="tenant_id"):
            parse_uuid(other, "tenant_id")


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a.b", "a b", "a" * 65, "é"])
def test_a_publisher_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ArgumentInvalidError):
        parse_publisher(text)


@pytest.mark.parametrize("text", ["a", "agreements", "com.acme.agreements", "a-b.c-d"])
def test_names_are_labels_joined_by_dots(text: str) -> None:
    assert parse_extension_name(text) == text


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a_b", "A", "a" * 129, "a/b"])
def test_a_name_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ArgumentInvalidError):
        parse_extension_name(text)


def test_request_ids_that_could_forge_a_log_line_are_not_taken_over() -> None:
    assert is_request_id(new_request_id())
    assert not any(map(is_request_id, ["", "a b", "a\nb", "a" * 129, "-a", "é"]))
