import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_service.catalog.precedence import highest_first, latest_of
from registry_service.catalog.reference import ExtensionReference

LADDER = [
    "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
    "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0",
]  # fmt: skip


@given(st.permutations(LADDER))
def test_versions_are_ordered_as_semver_says(versions: list[str]) -> None:
    assert highest_first(versions) == LADDER[::-1]


def test_versions_that_differ_in_build_only_have_one_fixed_order() -> None:
    assert highest_first(["1.0.0+a", "1.0.0+b"]) == highest_first(["1.0.0+b", "1.0.0+a"])


@pytest.mark.parametrize(
    ("versions", "latest"),
    [
        ([], ""),
        (["1.0.0-rc.1"], ""),
        (["1.0.0", "2.0.0-rc.1"], "1.0.0"),
        (["1.9.0", "1.10.0"], "1.10.0"),
        (["1.0.0+build"], "1.0.0+build"),
    ],
)
def test_the_latest_is_the_highest_that_is_no_pre_release(versions: list[str], latest: str) -> None:
    assert latest_of(versions) == latest


@pytest.mark.parametrize("version", [1, 4, 7])
def test_a_reference_is_a_uuid_of_any_version(version: int) -> None:
    known = uuid.UUID(int=uuid.uuid4().int, version=4)
    known = uuid.UUID(int=(known.int & ~(0xF << 76)) | (version << 76))
    for text in (str(known), str(known).upper()):
        assert ExtensionReference.parse(text) == ExtensionReference(id=known)


def test_a_reference_is_publisher_and_name_in_any_case() -> None:
    assert ExtensionReference.parse("Acme.Com.Example") == ExtensionReference(
        publisher="acme", name="com.example"
    )


@given(st.text())
def test_what_is_neither_names_nothing(text: str) -> None:
    reference = ExtensionReference.parse(text)
    assert (
        reference.id
        or (reference.publisher and reference.name)
        or (reference == ExtensionReference())
    )


@pytest.mark.parametrize(
    "text", ["", "acme", "acme.", ".x", "a b.c", "acme.x/../y", "acme.x\0", "{" + "0" * 32 + "}"]
)
def test_malformed_references_name_nothing(text: str) -> None:
    assert ExtensionReference.parse(text) == ExtensionReference()
