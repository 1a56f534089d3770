"""The registry's trust: certificate chains, revocation, rotation, and how strict a tenant is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.bundles.archive import content_hash_of
from shared.clock import ManualClock
from shared.errors import (
    ArgumentInvalidError,
    BundleStoreUnavailableError,
    BundleUntrustedError,
    ForbiddenError,
    RegistryEntryExistsError,
)
from shared.identifiers import TenantId
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import registry_service_pb2
from shared.tokens.invocation_grant import InvocationGrant, InvocationGrantVerifier
from shared.tokens.keys import VerifyingKey
from shared.tokens.service_token import ServiceRole
from shared.trust.envelope import SignedSubject
from shared.trust.keys import generate_key, public_pem
from shared.trust.verification import SigningPolicy
from tests.fixtures.certificates import Party, root
from tests.fixtures.postgres import NewDatabase
from tests.fixtures.registry import (
    NewRegistryHome,
    RegistryHome,
    RegistryUnderTest,
    bundle_of,
    new_tenant,
    registry_on,
)

ROOT = root(not_after=datetime(2100, 1, 1, tzinfo=UTC))
DAY = 86400.0


@dataclass
class Scene:
    """A registry whose clock a test moves, and which trusts a root and a bare key."""

    registry: RegistryUnderTest
    clock: ManualClock
    trust_file: Path

    def signer(self, *, days: int = 30, publisher: str = "acme") -> Party:
        now = self.clock.now()
        return ROOT.issue(
            "Signer", publisher=publisher, not_before=now - timedelta(hours=1),
            not_after=now + timedelta(days=days),
        )  # fmt: skip

    async def publish(self, name: str, signer: Party | None, version: str = "1.0.0") -> Any:
        """Publishes a bundle that this signer signed, or nobody."""
        registry, request_pb = self.registry, registry_service_pb2
        entry = request_pb.CreateRegistryEntryRequest(publisher="acme", name=name)
        with contextlib.suppress(RegistryEntryExistsError):
            await registry.call(registry.catalogue.CreateRegistryEntry, entry)
        data = bundle_of(name=name, version=version)
        await registry.upload(data)
        subject = SignedSubject(
            content_hash=content_hash_of(data), publisher="acme", name=name, version=version,
            runtime="wasm-js@1",
        )  # fmt: skip
        request = request_pb.AddVersionRequest(
            extension=f"acme.{name}",
            content_hash=subject.content_hash,
            signature_envelope=signer.sign(subject) if signer else b"",
        )
        return await registry.call(registry.catalogue.AddVersion, request)

    def trust(self, text: str) -> None:
        """Changes the trust bundle, and lets the time pass after which it counts."""
        self.trust_file.write_text(text)
        self.clock.advance(6)

    async def grant(self, tenant: TenantId, name: str) -> InvocationGrant:
        """What the registry grants to a runner."""
        resolved = await self.registry.resolve(tenant, f"acme.{name}")
        key = self.registry.home.grant_key
        verifier = InvocationGrantVerifier(
            keys={key.key_id: VerifyingKey(key.private.public_key(), "registry")}, clock=self.clock
        )
        return verifier.verify(resolved.invocation_grant)

    async def set_policy(self, tenant: TenantId, policy: int, **fields: Any) -> Any:
        request = pb.SetTenantPolicyRequest(
            tenant_id=str(tenant), signing_policy=pb.SigningPolicy.ValueType(policy), **fields
        )
        return (await self.registry.call(self.registry.installs.SetTenantPolicy, request)).policy

    async def policy(self, tenant: TenantId) -> Any:
        request = pb.GetTenantPolicyRequest(tenant_id=str(tenant))
        return (await self.registry.call(self.registry.installs.GetTenantPolicy, request)).policy


@contextlib.asynccontextmanager
async def scene_of(
    home: RegistryHome, database: Any, *, policy: SigningPolicy = SigningPolicy.REQUIRE
) -> AsyncIterator[Scene]:
    clock = ManualClock(datetime.now(UTC))
    trust_file = home.root / "trust.pem"
    trust_file.write_text(ROOT.pem + public_pem(home.publisher_key).decode())
    async with registry_on(
        home,
        database,
        clock=clock,
        change=lambda settings: settings.model_copy(update={"signing_policy": policy}),
    ) as registry:
        registry.follow(clock)
        yield Scene(registry, clock, trust_file)


@pytest.fixture
async def scene(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> AsyncIterator[Scene]:
    async with scene_of(new_registry_home(), await new_database()) as made:
        yield made


@pytest.fixture
async def lenient(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> AsyncIterator[Scene]:
    """A platform that admits what nobody signed, with a warning."""
    home, database = new_registry_home(), await new_database()
    async with scene_of(home, database, policy=SigningPolicy.WARN) as made:
        yield made


async def test_a_chain_is_trusted_at_publish_install_and_resolution(scene: Scene) -> None:
    published = await scene.publish("chained", scene.signer())
    assert "under root (CN=Root)" in published.version.signature.detail
    tenant = new_tenant()
    await scene.registry.install(tenant, "acme.chained")
    grant = await scene.grant(tenant, "chained")
    assert grant.signing_policy is SigningPolicy.REQUIRE
    assert grant.published_at is not None
    assert abs(grant.published_at - scene.clock.now()) < timedelta(seconds=2)


async def test_a_chain_for_another_publisher_is_refused_at_publish(scene: Scene) -> None:
    with pytest.raises(BundleUntrustedError, match="extension-publisher:acme"):
        await scene.publish("foreign", scene.signer(publisher="umbrella"))


async def test_a_certificate_is_judged_when_its_signature_was_first_seen(scene: Scene) -> None:
    signer = scene.signer(days=10)
    await scene.publish("lasting", signer)
    scene.clock.advance(20 * DAY)
    tenant = new_tenant()
    await scene.registry.install(tenant, "acme.lasting")
    await scene.registry.resolve(tenant, "acme.lasting")
    with pytest.raises(BundleUntrustedError, match="is not valid after"):
        await scene.publish("lasting", signer, version="1.0.1")


async def test_a_fresh_certificate_counts_whatever_the_databases_clock_says(scene: Scene) -> None:
    scene.clock.advance(400 * DAY)  # the database is 400 days behind the registry
    await scene.publish("fresh", scene.signer())
    await scene.registry.install(new_tenant(), "acme.fresh")


async def test_a_revocation_stops_publishing_installing_and_resolving(scene: Scene) -> None:
    signer, tenant = scene.signer(), new_tenant()
    await scene.publish("revoked", signer)
    await scene.registry.install(tenant, "acme.revoked")
    await scene.registry.resolve(tenant, "acme.revoked")
    at = scene.clock.now().isoformat()

    scene.trust(f"{ROOT.pem}revoked-at: {at}\n{signer.pem}")

    with pytest.raises(BundleUntrustedError, match="was revoked"):
        await scene.registry.resolve(tenant, "acme.revoked")
    with pytest.raises(BundleUntrustedError, match="was revoked"):
        await scene.registry.install(new_tenant(), "acme.revoked")
    with pytest.raises(BundleUntrustedError, match="was revoked"):
        await scene.publish("revoked", signer, version="1.0.1")
    scene.trust(ROOT.pem)
    await scene.registry.resolve(tenant, "acme.revoked")


async def test_a_rotation_loses_no_resolution(scene: Scene) -> None:
    home, tenant = scene.registry.home, new_tenant()
    old = public_pem(home.publisher_key).decode()
    await scene.registry.publish(name="rotated")
    await scene.registry.install(tenant, "acme.rotated")
    for text in (old, old + public_pem(generate_key()).decode(), old + ROOT.pem):
        scene.trust(text)
        await asyncio.gather(*(scene.registry.resolve(tenant, "acme.rotated") for _ in range(20)))
    scene.trust(f"revoked-at: {scene.clock.now().isoformat()}\n{old}")
    with pytest.raises(BundleUntrustedError, match="was revoked"):
        await scene.registry.resolve(tenant, "acme.rotated")


async def test_a_trust_bundle_that_turns_bad_changes_nothing(scene: Scene) -> None:
    tenant = new_tenant()
    await scene.publish("steady", scene.signer())
    await scene.registry.install(tenant, "acme.steady")
    scene.trust("not a trust bundle: at all")
    await scene.registry.resolve(tenant, "acme.steady")


async def test_a_known_signature_needs_no_store_and_an_unknown_one_waits_for_it(
    scene: Scene,
) -> None:
    tenant, home = new_tenant(), scene.registry.home
    await scene.publish("known", scene.signer())
    await scene.registry.install(tenant, "acme.known")
    await scene.publish("unknown", scene.signer())
    (home.root / "bundles").rename(home.root / "gone")
    try:
        await scene.registry.resolve(tenant, "acme.known")
        with pytest.raises((BundleStoreUnavailableError, BundleUntrustedError)):
            await scene.registry.install(new_tenant(), "acme.unknown")
    finally:
        (home.root / "gone").rename(home.root / "bundles")


async def test_a_tenant_may_be_stricter_than_the_platform(lenient: Scene) -> None:
    strict, other = new_tenant(), new_tenant()
    await lenient.publish("unsigned", None)
    for tenant in (strict, other):
        await lenient.registry.install(tenant, "acme.unsigned")
    assert (await lenient.grant(other, "unsigned")).signing_policy is SigningPolicy.WARN

    policy = await lenient.set_policy(strict, pb.SIGNING_POLICY_REQUIRE, actor="ops")

    assert policy.effective_signing_policy == pb.SIGNING_POLICY_REQUIRE
    assert (policy.set_by, policy.HasField("set_at")) == ("ops", True)
    with pytest.raises(BundleUntrustedError, match="not signed"):
        await lenient.registry.resolve(strict, "acme.unsigned")
    with pytest.raises(BundleUntrustedError, match="not signed"):
        await lenient.registry.install(strict, "acme.unsigned")
    await lenient.registry.resolve(other, "acme.unsigned")
    await lenient.publish("signed", lenient.signer())
    await lenient.registry.install(strict, "acme.signed")
    assert (await lenient.grant(strict, "signed")).signing_policy is SigningPolicy.REQUIRE

    assert await lenient.set_policy(strict, pb.SIGNING_POLICY_UNSPECIFIED) == pb.TenantPolicy(
        tenant_id=str(strict), effective_signing_policy=pb.SIGNING_POLICY_WARN
    )
    await lenient.registry.resolve(strict, "acme.unsigned")


async def test_an_update_is_held_to_the_tenants_policy(lenient: Scene) -> None:
    tenant = new_tenant()
    await lenient.publish("moving", lenient.signer())
    await lenient.registry.install(tenant, "acme.moving")
    await lenient.publish("moving", None, version="1.0.1")
    await lenient.set_policy(tenant, pb.SIGNING_POLICY_REQUIRE)
    request = pb.UpdateRequest(tenant_id=str(tenant), extension="acme.moving")
    with pytest.raises(BundleUntrustedError, match="not signed"):
        await lenient.registry.call(lenient.registry.installs.Update, request)
    await lenient.set_policy(tenant, pb.SIGNING_POLICY_WARN)
    answer = await lenient.registry.call(lenient.registry.installs.Update, request)
    assert any("not signed" in warning for warning in answer.warnings)


async def test_a_tenant_is_never_less_strict_than_the_platform(
    scene: Scene, lenient: Scene
) -> None:
    tenant = new_tenant()
    for weaker in (pb.SIGNING_POLICY_OFF, pb.SIGNING_POLICY_WARN):
        with pytest.raises(ArgumentInvalidError, match="as strict or stricter"):
            await scene.set_policy(tenant, weaker)
    assert (await scene.policy(tenant)).signing_policy == pb.SIGNING_POLICY_UNSPECIFIED
    with pytest.raises(ArgumentInvalidError, match="as strict or stricter"):
        await lenient.set_policy(tenant, pb.SIGNING_POLICY_OFF)


async def test_a_platform_that_becomes_stricter_overrules_what_was_set(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    home, database, tenant = new_registry_home(), await new_database(), new_tenant()
    async with scene_of(home, database, policy=SigningPolicy.OFF) as scene:
        await scene.set_policy(tenant, pb.SIGNING_POLICY_WARN)
    async with scene_of(home, database) as scene:
        policy = await scene.policy(tenant)
    assert policy.signing_policy == pb.SIGNING_POLICY_WARN
    assert policy.effective_signing_policy == pb.SIGNING_POLICY_REQUIRE


async def test_setting_a_policy_again_keeps_who_set_it(lenient: Scene) -> None:
    tenant = new_tenant()
    first = await lenient.set_policy(tenant, pb.SIGNING_POLICY_REQUIRE, actor="first")
    lenient.clock.advance(60)
    again = await lenient.set_policy(tenant, pb.SIGNING_POLICY_REQUIRE, actor="second")
    assert again == first == await lenient.policy(tenant)


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant_id": "x"},
        {"tenant_id": ""},
        {"actor": "x" * 129},
        {"actor": "a\x1b[31m"},
        {"signing_policy": 99},
    ],
    ids=str,
)
async def test_bad_policies_are_refused_and_nothing_is_set(
    lenient: Scene, fields: dict[str, Any]
) -> None:
    tenant = new_tenant()
    asked: dict[str, Any] = {"tenant_id": str(tenant), "signing_policy": pb.SIGNING_POLICY_REQUIRE}
    request = pb.SetTenantPolicyRequest(**asked | fields)
    with pytest.raises(ArgumentInvalidError):
        await lenient.registry.call(lenient.registry.installs.SetTenantPolicy, request)
    assert (await lenient.policy(tenant)).signing_policy == pb.SIGNING_POLICY_UNSPECIFIED


@pytest.mark.parametrize("role", [ServiceRole.GATEWAY, ServiceRole.RUNNER])
async def test_only_operators_decide_policies(scene: Scene, role: ServiceRole) -> None:
    tenant = str(new_tenant())
    installs = scene.registry.installs
    asked = pb.SetTenantPolicyRequest(tenant_id=tenant)
    with pytest.raises(ForbiddenError):
        await scene.registry.call(installs.SetTenantPolicy, asked, role=role)
    wanted = pb.GetTenantPolicyRequest(tenant_id=tenant)
    with pytest.raises(ForbiddenError):
        await scene.registry.call(installs.GetTenantPolicy, wanted, role=role)


async def test_one_tenants_policy_is_not_anothers(lenient: Scene) -> None:
    strict, other = new_tenant(), new_tenant()
    await lenient.set_policy(strict, pb.SIGNING_POLICY_REQUIRE, actor="ops")
    seen = await lenient.policy(other)
    assert (seen.signing_policy, seen.set_by) == (pb.SIGNING_POLICY_UNSPECIFIED, "")
    await lenient.set_policy(other, pb.SIGNING_POLICY_UNSPECIFIED)
    assert (await lenient.policy(strict)).signing_policy == pb.SIGNING_POLICY_REQUIRE


async def test_many_at_once_leave_one_policy(lenient: Scene) -> None:
    tenant = new_tenant()
    wanted = [pb.SIGNING_POLICY_REQUIRE, pb.SIGNING_POLICY_WARN, pb.SIGNING_POLICY_UNSPECIFIED]
    await asyncio.gather(*(lenient.set_policy(tenant, each) for each in wanted * 8))
    assert (await lenient.policy(tenant)).signing_policy in wanted
