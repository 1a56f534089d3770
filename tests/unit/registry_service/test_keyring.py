"""Keyring files: strict, told in words, and re-read."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from registry_service.secrets.keyring import Keyring, KeyringFile
from shared.clock import ManualClock, SystemClock
from tests.fixtures.keyrings import key_named, keyring_of

GOOD = key_named("one")


def document(*entries: Any) -> bytes:
    return json.dumps({"keys": list(entries)}).encode()


def test_the_first_key_is_current_and_repr_shows_no_key() -> None:
    keyring = Keyring.parse(keyring_of("new", "old"))
    assert keyring.current_id == "new"
    assert keyring.get("old") is not None
    assert keyring.get("other") is None
    assert repr(keyring) == "Keyring(new, old)"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "JSON"),
        (b"\xff", "JSON"),
        (b"[" * 60_000, "JSON"),
        (b" " * 70_000, "too_large"),
        (b"[]", "1 to 64 keys"),
        (b"{}", "1 to 64 keys"),
        (document(), "1 to 64 keys"),
        (document(*({"id": f"k{n}", "key": key_named(str(n))} for n in range(65))), "1 to 64 keys"),
        (document("x"), r"keys\[0\] is no object"),
        (document({"id": "a"}), r"keys\[0\] is no object"),
        (document({"id": "a", "key": GOOD, "more": 1}), r"keys\[0\] is no object"),
        (document({"id": "", "key": GOOD}), r"keys\[0\]\.id"),
        (document({"id": "a b", "key": GOOD}), r"keys\[0\]\.id"),
        (document({"id": "a" * 65, "key": GOOD}), r"keys\[0\]\.id"),
        (document({"id": 1, "key": GOOD}), r"keys\[0\] is no object"),
        (document({"id": "a", "key": GOOD[:-4]}), r"keys\[0\]\.key"),
        (document({"id": "a", "key": "!!!!"}), r"keys\[0\]\.key"),
        (document({"id": "a", "key": base64.b64encode(bytes(16)).decode()}), r"keys\[0\]\.key"),
        (document({"id": "a", "key": GOOD}, {"id": "a", "key": key_named("b")}), "twice"),
        (document({"id": "a", "key": GOOD}, {"id": "b", "key": GOOD}), "twice"),
        (b'{"keys":[],"keys":[{"id":"a","key":"' + GOOD.encode() + b'"}]}', "JSON"),
    ],
)
def test_what_is_no_keyring_is_refused_without_repeating_it(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why) as told:
        Keyring.parse(text)
    assert GOOD not in str(told.value)
    assert told.value.__cause__ is None


def test_a_change_counts_and_a_bad_change_does_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clock, path = ManualClock(SystemClock().now()), tmp_path / "keyring.json"
    path.write_bytes(keyring_of("one"))
    file = KeyringFile(path=path, clock=clock)
    path.write_bytes(keyring_of("two", "one"))
    assert file.current().current_id == "one"  # it is not looked at all the time
    clock.advance(6)
    assert file.current().current_id == "two"
    path.write_bytes(b"{")
    clock.advance(6)
    assert file.current().current_id == "two"
    path.unlink()
    clock.advance(6)
    assert file.current().current_id == "two"
    assert capfd.readouterr().out.count("turned bad") == 2
    path.write_bytes(keyring_of("three"))
    clock.advance(6)
    assert file.current().current_id == "three"


def test_a_file_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        KeyringFile(path=tmp_path / "none", clock=SystemClock())
