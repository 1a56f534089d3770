import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_service.paging import page_size_of, page_token, position_of
from shared.errors import ArgumentInvalidError, PageTokenInvalidError

LISTING = ("records", "tenant", "namespace")
words = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))


@given(words, words)
def test_a_token_gives_its_position_back(listing: list[str], position: list[str]) -> None:
    token = page_token(listing, position)
    assert position_of(token, listing, parts=len(position)) == tuple(position)
    assert token.isascii()


def test_the_empty_token_starts_a_listing() -> None:
    assert position_of("", LISTING, parts=1) is None


@given(words.filter(lambda listing: tuple(listing) != LISTING))
def test_a_token_of_another_listing_is_refused(listing: list[str]) -> None:
    with pytest.raises(PageTokenInvalidError):
        position_of(page_token(listing, ("a",)), LISTING, parts=1)


@given(st.text())
def test_noise_is_refused(noise: str) -> None:
    if noise:
        with pytest.raises(PageTokenInvalidError):
            position_of(noise, LISTING, parts=1)


def made(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_a_token_of_another_shape_is_refused() -> None:
    binding = json.loads(base64.urlsafe_b64decode(page_token(LISTING, ("a",)) + "=="))[0]
    shapes: list[object] = [[], {}, binding, [binding], [binding, 1], [binding, "a", "b"]]
    for value in [*shapes, [binding, "\0"]]:
        with pytest.raises(PageTokenInvalidError):
            position_of(made(value), LISTING, parts=1)
    for token in ("A" * 5000, made("[" * 2000)):
        with pytest.raises(PageTokenInvalidError):
            position_of(token, LISTING, parts=1)


def test_a_page_has_a_default_and_a_largest_size() -> None:
    assert page_size_of(0, default=5, largest=10) == 5
    assert page_size_of(10, default=5, largest=10) == 10
    with pytest.raises(ArgumentInvalidError):
        page_size_of(11, default=5, largest=10)
