"""Names that are one slip apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_service.catalog.checks.name_check import within_one_slip


def slips(text: str, alphabet: str) -> set[str]:
    """Everything that one slip makes of a text: the definition, written out."""
    places = range(len(text) + 1)
    return {
        text,
        *(text[:i] + text[i + 1 :] for i in places[:-1]),
        *(text[:i] + c + text[i:] for i in places for c in alphabet),
        *(text[:i] + c + text[i + 1 :] for i in places[:-1] for c in alphabet),
        *(text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in places[:-2]),
    }


@given(one=st.text("ab-", max_size=6), other=st.text("ab-", max_size=6))
def test_the_shortcut_agrees_with_the_definition(one: str, other: str) -> None:
    assert within_one_slip(one, other) == (other in slips(one, "ab-"))
    assert within_one_slip(one, other) == within_one_slip(other, one)


@pytest.mark.parametrize("other", ["acme", "acmee", "acm", "cme", "acne", "amce", "aacme"])
def test_a_slip_is_found(other: str) -> None:
    assert within_one_slip("acme", other)


@pytest.mark.parametrize("other", ["", "ac", "acmeee", "caem", "amec", "abcd", "mcae"])
def test_two_slips_are_another_name(other: str) -> None:
    assert not within_one_slip("acme", other)
