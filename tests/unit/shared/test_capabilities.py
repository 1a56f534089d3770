"""Capability names: one canonical form, and no silent loss."""

import pytest

from shared.capabilities import CAPABILITIES, DEFAULT_CAPABILITIES, canonical_capability
from shared.errors import ArgumentInvalidError


@pytest.mark.parametrize("name", sorted(CAPABILITIES))
def test_a_name_is_known_with_and_without_its_prefix_in_any_case(name: str) -> None:
    for text in (name, name.removeprefix("cap:"), f" {name.upper()}\n"):
        assert canonical_capability(text) == name


def test_what_everyone_has_is_known() -> None:
    assert DEFAULT_CAPABILITIES < CAPABILITIES
    assert len(CAPABILITIES) == 11


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ArgumentInvalidError, match=r"Did you mean cap:http.fetch\?"):
        canonical_capability("cap:http.fetsch")


@pytest.mark.parametrize("text", ["", "cap:", "cap:cap:http.fetch", "x" * 10_000, "\x1b[31m"])
def test_anything_else_is_refused_in_a_short_printable_message(text: str) -> None:
    with pytest.raises(ArgumentInvalidError) as caught:
        canonical_capability(text)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400
