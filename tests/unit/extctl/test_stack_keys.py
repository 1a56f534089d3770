"""The keys and the trust bundle of a stack."""

from pathlib import Path

import pytest

from extctl.dev_stack.keys import load_signing_key, make_keys
from extctl.dev_stack.publisher import make_trust_bundle
from extctl.failures import CommandError
from extctl.trust_file import trust_key
from shared.errors import ArgumentInvalidError, TrustBundleInvalidError
from shared.tokens.keys import load_key_set
from shared.trust.keys import generate_key, read_private_key
from shared.trust.public_key import key_id_of
from shared.trust.trust_bundle import TrustBundle


def test_every_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys", runners=2)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "keys").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert len(keys.runners) == 2


def test_a_directory_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    make_keys(tmp_path / "keys", runners=1)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_keys_are_made_once(tmp_path: Path) -> None:
    first = make_keys(tmp_path, runners=1)
    kept = [*tmp_path.glob("*.pem"), first.secrets_keyring]
    before = {path: path.read_bytes() for path in kept}
    second = make_keys(tmp_path, runners=3)
    assert first.operator == second.operator
    assert all(path.read_bytes() == content for path, content in before.items())
    assert len(second.runners) == 3


def test_no_two_keys_are_the_same(tmp_path: Path) -> None:
    make_keys(tmp_path, runners=2)
    contents = [path.read_bytes() for path in tmp_path.glob("*.pem")]
    assert len(set(contents)) == len(contents) == 6


def test_the_key_set_gives_each_key_its_role(tmp_path: Path) -> None:
    keys = make_keys(tmp_path, runners=2)
    roles = {
        key_id: key.role for key_id, key in load_key_set(keys.service_key_set.read_text()).items()
    }
    assert roles[load_signing_key(keys.gateway).key_id] == "gateway"
    assert roles[load_signing_key(keys.operator).key_id] == "operator"
    assert [roles[load_signing_key(path).key_id] for path in keys.runners] == ["runner"] * 2
    assert load_signing_key(keys.grant).key_id not in roles
    assert load_signing_key(keys.token_issuer).key_id not in roles
    (grant_key,) = load_key_set(keys.grant_key_set.read_text()).values()
    assert grant_key.role == "registry"


def test_no_key_set_holds_a_private_key(tmp_path: Path) -> None:
    make_keys(tmp_path, runners=1)
    for path in tmp_path.glob("*.json"):
        assert '"d"' not in path.read_text()


def test_a_runner_that_is_gone_loses_its_role(tmp_path: Path) -> None:
    make_keys(tmp_path, runners=2)
    keys = make_keys(tmp_path, runners=1)
    assert len(load_key_set(keys.service_key_set.read_text())) == 3


def test_a_broken_key_file_is_told_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "operator.pem").write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(CommandError, match="no unencrypted Ed25519") as caught:
        make_keys(tmp_path, runners=1)
    assert "NONSENSE" not in caught.value.message


def test_the_trust_bundle_starts_with_the_development_publisher(tmp_path: Path) -> None:
    made = make_trust_bundle(tmp_path, publishers=("acme",))
    (entry,) = TrustBundle.from_pem(made.trust_bundle.read_bytes()).entries
    assert entry.key_id == key_id_of(read_private_key(made.private_key).public_key())
    assert b"publisher: acme" in made.trust_bundle.read_bytes()
    assert b"PRIVATE" not in made.trust_bundle.read_bytes()


def test_what_an_operator_put_into_the_trust_bundle_stays(tmp_path: Path) -> None:
    made = make_trust_bundle(tmp_path)
    trust_key(made.trust_bundle, generate_key(), publishers=("globex",))
    before = made.trust_bundle.read_bytes()
    make_trust_bundle(tmp_path)
    assert made.trust_bundle.read_bytes() == before
    assert len(TrustBundle.from_pem(before).entries) == 2


def test_a_broken_trust_bundle_is_not_made_worse(tmp_path: Path) -> None:
    path = tmp_path / "trust.pem"
    path.write_text("-----BEGIN PUBLIC KEY-----\nbroken")
    with pytest.raises(TrustBundleInvalidError):
        trust_key(path, generate_key())
    assert path.read_text() == "-----BEGIN PUBLIC KEY-----\nbroken"


def test_a_publisher_that_is_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentInvalidError):
        trust_key(tmp_path / "trust.pem", generate_key(), publishers=("a\npublisher: b",))
    assert not (tmp_path / "trust.pem").exists()
