"""Verdicts count for seconds, and no longer than the trust that they were made with."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.clock import ManualClock
from shared.errors import BundleStoreUnavailableError, BundleUntrustedError
from shared.trust.keys import public_pem
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.verdict_memory import StoredSignature, VerdictMemory
from shared.trust.verification import VerificationResult
from tests.unit.shared.trust.signing import ED25519, GOOD, NOW, P256, STRANGER, SUBJECT

SIGNATURE = StoredSignature(
    subject=SUBJECT, digest=hashlib.sha256(GOOD).hexdigest(), seen_at=NOW - timedelta(days=1)
)


@dataclass
class Stored:
    """A store with one envelope, which counts how often it is asked."""

    envelope: bytes = GOOD
    asked: int = 0
    is_away: bool = False

    async def fetch(self) -> bytes:
        self.asked += 1
        if self.is_away:
            raise BundleStoreUnavailableError
        return self.envelope


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    (tmp_path / "trust.pem").write_bytes(public_pem(ED25519))
    return tmp_path / "trust.pem"


@pytest.fixture
def entrust(trust_file: Path) -> Callable[[bytes], int]:
    return trust_file.write_bytes


@pytest.fixture
def memory(trust_file: Path, clock: ManualClock) -> VerdictMemory:
    return VerdictMemory(trust_bundle=TrustBundleFile(path=trust_file, clock=clock), clock=clock)


async def test_an_envelope_is_fetched_once_and_judged_again_and_again(
    memory: VerdictMemory, clock: ManualClock, entrust: Callable[[bytes], int]
) -> None:
    stored = Stored()
    for _ in range(5):
        verification = await memory.verdict(SIGNATURE, stored.fetch)
        assert verification.result is VerificationResult.VERIFIED
        clock.advance(6)
    entrust(public_pem(P256))
    clock.advance(6)
    verification = await memory.verdict(SIGNATURE, stored.fetch)
    assert verification.result is VerificationResult.FAILED
    assert stored.asked == 1


async def test_an_end_of_trust_counts_within_five_seconds_without_any_change_of_the_file(
    memory: VerdictMemory, clock: ManualClock, entrust: Callable[[bytes], int]
) -> None:
    end = NOW + timedelta(seconds=30)
    entrust(f"not-after: {end.isoformat()}\n".encode() + public_pem(ED25519))
    clock.advance(6)
    stored = Stored()
    for _ in range(4):
        assert (await memory.verdict(SIGNATURE, stored.fetch)).key_id
        clock.advance(5)
    clock.advance(9)
    assert not (await memory.verdict(SIGNATURE, stored.fetch)).key_id


@pytest.mark.parametrize("given", [b"", GOOD + b" ", b"{}"], ids=["missing", "changed", "other"])
async def test_another_envelope_than_the_published_one_is_refused_whatever_it_says(
    memory: VerdictMemory, given: bytes
) -> None:
    with pytest.raises(BundleUntrustedError, match="not the one that was published"):
        await memory.verdict(SIGNATURE, Stored(given).fetch)


async def test_a_store_that_is_away_is_told_and_asked_again(memory: VerdictMemory) -> None:
    stored = Stored(is_away=True)
    with pytest.raises(BundleStoreUnavailableError):
        await memory.verdict(SIGNATURE, stored.fetch)
    stored.is_away = False
    assert (await memory.verdict(SIGNATURE, stored.fetch)).key_id
    stored.is_away = True
    assert (await memory.verdict(SIGNATURE, stored.fetch)).key_id


async def test_an_unsigned_bundle_asks_no_store(memory: VerdictMemory) -> None:
    stored = Stored()
    verification = await memory.verdict(replace(SIGNATURE, digest=""), stored.fetch)
    assert verification.result is VerificationResult.NOT_SIGNED
    assert stored.asked == 0


async def test_a_verdict_is_for_one_subject_only(memory: VerdictMemory) -> None:
    stored = Stored()
    assert (await memory.verdict(SIGNATURE, stored.fetch)).key_id
    other = replace(SIGNATURE, subject=replace(SUBJECT, publisher="umbrella"))
    assert not (await memory.verdict(other, stored.fetch)).key_id


async def test_the_log_tells_each_change_once(
    memory: VerdictMemory, clock: ManualClock, entrust: Callable[[bytes], int]
) -> None:
    stored = Stored()
    with capture_logs() as logs:
        for text in (public_pem(ED25519), public_pem(STRANGER), b"nonsense: x\n"):
            entrust(text)
            for _ in range(3):
                clock.advance(6)
                await memory.verdict(SIGNATURE, stored.fetch)
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("signature judged", "info"),
        ("signature judged", "warning"),
        ("trust bundle cannot be used; the last good one stays", "error"),
    ]
