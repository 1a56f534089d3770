"""Versions that leave their patch open."""

import pytest

from shared.bundles.version_pattern import is_version_pattern, patch_within, signed_for


@pytest.mark.parametrize(
    ("version", "patch"),
    [
        ("1.2.0", 0), ("1.2.10", 10), ("1.2.3-rc.1", None), ("1.2.3+b", None), ("1.20.3", None),
        ("11.2.3", None), ("1.2.*", None), ("1.2.03", None), ("1.2.\u0663", None), ("", None),
    ],
)  # fmt: skip
def test_only_releases_of_the_same_minor_version_count(version: str, patch: int | None) -> None:
    assert patch_within("1.2.*", version) == patch


def test_a_signature_over_a_pattern_is_good_for_what_comes_of_it_and_nothing_else() -> None:
    assert signed_for("1.2.*", "1.2.7")
    assert signed_for("1.2.*", "1.2.*")
    assert signed_for("1.2.3", "1.2.3")
    for signed, version in (
        ("1.2.*", "1.3.0"), ("1.2.*", "1.2.7-rc.1"), ("1.2.3", "1.2.*"), ("*", "1.2.3"),
        ("1.*", "1.2.3"), ("1.2.", "1.2.3"),
    ):  # fmt: skip
        assert not signed_for(signed, version)


@pytest.mark.parametrize(
    "text", ["1.2", "1.2.*.*", "01.2.*", "v1.2.*", "1.2.* ", "1.2.*\n", "-1.2.*"]
)
def test_what_is_no_pattern(text: str) -> None:
    assert not is_version_pattern(text)
