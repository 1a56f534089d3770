"""Names and keys that every process must agree on."""

import pytest

from shared.bundles.layout import bundle_key, parse_key, signature_key
from shared.errors import ArgumentInvalidError
from shared.identifiers import ContentHash

HEX = "ab" * 32
HASH = ContentHash(f"sha256:{HEX}")


def test_a_bundle_and_its_signatures_lie_side_by_side() -> None:
    assert bundle_key(HASH) == f"sha256/{HEX}/bundle.tar.zst"
    assert signature_key(HASH, "cd" * 32) == f"sha256/{HEX}/{'cd' * 32}.dsse.json"
    assert parse_key(signature_key(HASH, HEX)) == signature_key(HASH, HEX)


@pytest.mark.parametrize("text", ["", HEX, "sha256:../../etc", f"sha256:{HEX.upper()}"])
def test_no_key_is_made_of_a_malformed_hash(text: str) -> None:
    with pytest.raises(ArgumentInvalidError):
        bundle_key(ContentHash(text))
    with pytest.raises(ArgumentInvalidError):
        signature_key(HASH, text.replace(HEX, "x"))


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.put-x", "a b", "é", "a" * 513]
)
def test_a_key_outside_the_grammar_is_refused(key: str) -> None:
    with pytest.raises(ArgumentInvalidError, match="object key"):
        parse_key(key)
