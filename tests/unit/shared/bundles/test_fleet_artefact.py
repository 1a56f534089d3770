"""Compiled code under the fleet's key."""

from pathlib import Path

import pytest

from shared.bundles.fleet_artefact import ArtefactKey
from shared.bundles.layout import content_hash_of_key, parse_key
from shared.identifiers import ContentHash

KEY = ArtefactKey(bytes(range(32)))
BUNDLE = ContentHash(f"sha256:{'a' * 64}")
OTHER = ContentHash(f"sha256:{'b' * 64}")


def test_what_was_sealed_is_opened_for_the_same_bundle_and_engine_only() -> None:
    sealed = KEY.seal(b"code", content_hash=BUNDLE, fingerprint="e")
    assert KEY.open(sealed, content_hash=BUNDLE, fingerprint="e") == b"code"
    assert KEY.open(sealed, content_hash=OTHER, fingerprint="e") is None
    assert KEY.open(sealed, content_hash=BUNDLE, fingerprint="f") is None
    assert ArtefactKey(bytes(32)).open(sealed, content_hash=BUNDLE, fingerprint="e") is None


def test_no_bit_of_what_was_sealed_can_be_changed() -> None:
    sealed = KEY.seal(b"code", content_hash=BUNDLE, fingerprint="e")
    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        assert KEY.open(bytes(changed), content_hash=BUNDLE, fingerprint="e") is None
    for cut in (b"", sealed[:31], sealed[:32], sealed[:-1], sealed + b"\0"):
        assert KEY.open(cut, content_hash=BUNDLE, fingerprint="e") is None


def test_another_key_or_engine_has_its_objects_elsewhere() -> None:
    names = {
        KEY.object_key(BUNDLE, "e"),
        KEY.object_key(BUNDLE, "f"),
        KEY.object_key(OTHER, "e"),
        ArtefactKey(bytes(32)).object_key(BUNDLE, "e"),
    }
    assert len(names) == 4
    for name in names:
        assert parse_key(name) == name
        assert content_hash_of_key(name) in {BUNDLE, OTHER}


def test_a_key_is_a_file_of_32_bytes_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(range(32)))
    path.chmod(0o600)
    assert ArtefactKey.from_file(path).object_key(BUNDLE, "e") == KEY.object_key(BUNDLE, "e")
    path.chmod(0o640)
    with pytest.raises(ValueError, match="chmod"):
        ArtefactKey.from_file(path)
    path.chmod(0o600)
    for wrong in (b"", bytes(31), bytes(33)):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match="bytes instead of 32"):
            ArtefactKey.from_file(path)


def test_the_key_is_not_shown() -> None:
    key = ArtefactKey(b"hunter2hunter2hunter2hunter2hunt")
    assert "hunter2" not in repr(key)
