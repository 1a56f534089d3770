"""Whether a runner trusts a bundle: by its own trust bundle, the grant's policy, and the time."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runner_service.bundle_cache.bundle_trust import BundleTrust
from shared.bundles.archive import content_hash_of
from shared.bundles.file_store import FileBundleStore
from shared.bundles.layout import signature_key
from shared.clock import ManualClock
from shared.errors import BundleUntrustedError
from shared.tokens.invocation_grant import InvocationGrant
from shared.trust.envelope import SignedSubject
from shared.trust.keys import generate_key, public_pem, sign_statement
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.verification import SigningPolicy
from tests.fixtures.certificates import ISSUED_AT, Party, root
from tests.fixtures.invocations import grant_of

PUBLISHED_AT = ISSUED_AT + timedelta(days=30)
ROOT = root(not_after=ISSUED_AT + timedelta(days=3650))
SIGNER = ROOT.issue("Signer", publisher="acme", not_after=ISSUED_AT + timedelta(days=60))
SUBJECT = SignedSubject(
    content_hash=content_hash_of(b"bundle"),
    publisher="acme",
    name="guest",
    version="1.0.0",
    runtime="wasm-js@1",
)


class TrustUnderTest:
    """A runner's trust, over a store that counts what is read."""

    def __init__(self, root: Path, *, policy: SigningPolicy = SigningPolicy.REQUIRE) -> None:
        self.file = root / "trust.pem"
        self.clock = ManualClock(PUBLISHED_AT)
        self.store = CountingStore(root=root / "store")
        if not self.file.exists():
            self.file.write_text(ROOT.pem)
            (root / "store").mkdir()
        self.trust = BundleTrust(
            store=self.store,
            trust_bundle=TrustBundleFile(path=self.file, clock=self.clock),
            policy=policy,
            clock=self.clock,
        )

    async def stored(self, envelope: bytes, **changed: object) -> InvocationGrant:
        """A grant for the bundle with this signature, as the registry gives it."""
        digest = ""
        if envelope:
            digest = content_hash_of(envelope).removeprefix("sha256:")
            await self.store.put_if_absent(signature_key(SUBJECT.content_hash, digest), envelope)
        said: dict[str, object] = {
            "publisher": SUBJECT.publisher,
            "name": SUBJECT.name,
            "version": SUBJECT.version,
            "runtime": SUBJECT.runtime,
            "content_hash": SUBJECT.content_hash,
            "signature_digest": digest,
            "published_at": PUBLISHED_AT,
            **changed,
        }
        return replace(grant_of(), **said)  # type: ignore[arg-type]

    async def refusal(self, grant: InvocationGrant) -> str:
        with pytest.raises(BundleUntrustedError) as caught:
            await self.trust.check(grant)
        return caught.value.message


class CountingStore(FileBundleStore):
    reads = 0

    async def get(self, key: str, *, max_bytes: int) -> bytes:
        self.reads += 1
        return await super().get(key, max_bytes=max_bytes)


@pytest.fixture
def under_test(tmp_path: Path) -> TrustUnderTest:
    return TrustUnderTest(tmp_path)


async def test_an_expired_certificate_goes_on_vouching_for_what_was_published_in_its_time(
    under_test: TrustUnderTest,
) -> None:
    grant = await under_test.stored(SIGNER.sign(SUBJECT))
    await under_test.trust.check(grant)
    under_test.clock.advance(86400 * 1000)
    await under_test.trust.check(grant)


async def test_an_expired_certificate_vouches_for_nothing_that_was_published_later(
    under_test: TrustUnderTest,
) -> None:
    later = PUBLISHED_AT + timedelta(days=31)
    grant = await under_test.stored(SIGNER.sign(SUBJECT), published_at=later)
    assert "is not valid after" in await under_test.refusal(grant)


async def test_without_a_moment_certificates_are_judged_now(under_test: TrustUnderTest) -> None:
    grant = await under_test.stored(SIGNER.sign(SUBJECT), published_at=None)
    await under_test.trust.check(grant)
    under_test.clock.advance(86400 * 31)
    assert "is not valid after" in await under_test.refusal(grant)


@pytest.mark.parametrize("revoked", [ROOT, SIGNER], ids=["root", "signer"])
async def test_a_revocation_stops_a_warm_bundle_within_ten_seconds(
    under_test: TrustUnderTest, revoked: Party
) -> None:
    grant = await under_test.stored(SIGNER.sign(SUBJECT))
    await under_test.trust.check(grant)
    rest = "" if revoked is ROOT else ROOT.pem
    at = PUBLISHED_AT.isoformat()
    under_test.file.write_text(f"revoked-at: {at}\n{revoked.pem}{rest}")
    under_test.clock.advance(10)
    assert "was revoked" in await under_test.refusal(grant)


async def test_a_revocation_that_is_written_beforehand_counts_when_its_time_comes(
    under_test: TrustUnderTest,
) -> None:
    at = PUBLISHED_AT + timedelta(hours=1)
    under_test.file.write_text(f"revoked-at: {at.isoformat()}\n{ROOT.pem}")
    under_test.clock.advance(6)
    grant = await under_test.stored(SIGNER.sign(SUBJECT))
    await under_test.trust.check(grant)
    under_test.clock.advance(3600)
    assert "was revoked" in await under_test.refusal(grant)


async def test_keys_are_rotated_without_losing_a_call(under_test: TrustUnderTest) -> None:
    old, new = generate_key(), generate_key()
    under_test.file.write_bytes(public_pem(old))
    under_test.clock.advance(6)
    first = await under_test.stored(sign_statement(old, SUBJECT))
    await under_test.trust.check(first)

    under_test.file.write_bytes(public_pem(old) + public_pem(new))
    second = await under_test.stored(sign_statement(new, SUBJECT))
    for _ in range(12):  # a minute of calls over the change
        under_test.clock.advance(5)
        await under_test.trust.check(first)
        await under_test.trust.check(second)

    at = under_test.clock.now().isoformat()
    under_test.file.write_bytes(f"revoked-at: {at}\n".encode() + public_pem(old) + public_pem(new))
    under_test.clock.advance(10)
    assert "was revoked" in await under_test.refusal(first)
    await under_test.trust.check(second)


@pytest.mark.parametrize("own", list(SigningPolicy))
@pytest.mark.parametrize("granted", list(SigningPolicy))
async def test_the_stricter_policy_counts(
    tmp_path: Path, own: SigningPolicy, granted: SigningPolicy
) -> None:
    under_test = TrustUnderTest(tmp_path, policy=own)
    grant = await under_test.stored(b"", signing_policy=granted)
    if SigningPolicy.REQUIRE in (own, granted):
        assert "not signed" in await under_test.refusal(grant)
    else:
        await under_test.trust.check(grant)


async def test_what_is_refused_is_not_fetched_again_and_again(under_test: TrustUnderTest) -> None:
    foreign = root("Other").issue("Signer", publisher="acme")
    grant = await under_test.stored(foreign.sign(SUBJECT))
    for _ in range(5):
        assert "leads to no root" in await under_test.refusal(grant)
        under_test.clock.advance(6)
    assert under_test.store.reads == 1
