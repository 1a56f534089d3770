"""What a gateway remembers of installs is forgotten as soon as the registry tells a change."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry

from gateway_shim.endpoint_match import EndpointMatcher
from gateway_shim.metrics import GatewayMetrics
from gateway_shim.resolve import MAX_MISSING_SECONDS, ResolvedInstall, Resolver
from shared.clock import ManualClock
from shared.errors import ExtensionNotAvailableError
from shared.identifiers import ContentHash, InstallId, RegistryId, TenantId, VersionId
from shared.install_changes import Change, InstallChange, Resync, VersionChange
from shared.tokens.invocation_grant import GRANT_LIFETIME, LEEWAY

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B = TenantId(UUID(int=0xA)), TenantId(UUID(int=0xB))
VERSION = VersionId(UUID(int=7))
CACHE_SECONDS = 5.0


@dataclass
class Source:
    """An `InstallSource` over a dict; it can be held up."""

    clock: ManualClock
    installs: dict[tuple[TenantId, str], InstallId] = field(default_factory=dict)
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def resolve_install(self, tenant_id: TenantId, extension: str) -> ResolvedInstall | None:
        self.asked += 1
        install_id = self.installs.get((tenant_id, extension))
        await self.gate.wait()
        if install_id is None:
            return None
        return ResolvedInstall(
            install_id=install_id,
            version_id=VERSION,
            matcher=EndpointMatcher(()),
            config_json="{}",
            invocation_grant=f"grant-{self.asked}",
            grant_expires_at=self.clock.now() + GRANT_LIFETIME,
        )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def source(clock: ManualClock) -> Source:
    return Source(clock, {(tenant, "acme.x"): InstallId(uuid4()) for tenant in (A, B)})


@pytest.fixture
def resolver(source: Source, clock: ManualClock) -> Resolver:
    return Resolver(
        source=source,
        cache_seconds=CACHE_SECONDS,
        clock=clock,
        metrics=GatewayMetrics(CollectorRegistry()),
    )


def change_of(source: Source, tenant_id: TenantId, extension: str = "acme.x") -> InstallChange:
    install_id = source.installs.get((tenant_id, extension), InstallId(uuid4()))
    return InstallChange(tenant_id, install_id, RegistryId(uuid4()), 2)


async def test_a_changed_install_is_asked_for_again_and_no_other(
    resolver: Resolver, source: Source
) -> None:
    source.installs[A, str(source.installs[A, "acme.x"])] = source.installs[A, "acme.x"]
    names = [(A, "acme.x"), (A, str(source.installs[A, "acme.x"])), (B, "acme.x")]
    before = [await resolver.resolve(*name) for name in names]
    resolver.forget(change_of(source, A))
    after = [await resolver.resolve(*name) for name in names]
    assert [one is other for one, other in zip(before, after, strict=True)] == [False, False, True]


@pytest.mark.parametrize(
    "change", [Resync(), VersionChange(VERSION, ContentHash(f"sha256:{'0' * 64}"), True)]
)  # fmt: skip
async def test_a_resync_or_a_quarantine_is_about_everybody(
    resolver: Resolver, source: Source, change: Change
) -> None:
    await resolver.resolve(A, "acme.x")
    await resolver.resolve(B, "acme.x")
    source.installs.clear()
    resolver.forget(change)
    for tenant in (A, B):
        with pytest.raises(ExtensionNotAvailableError):
            await resolver.resolve(tenant, "acme.x")


async def test_what_was_missing_is_there_as_soon_as_it_is_installed(
    resolver: Resolver, source: Source
) -> None:
    with pytest.raises(ExtensionNotAvailableError):
        await resolver.resolve(A, "acme.new")
    source.installs[A, "acme.new"] = InstallId(uuid4())
    with pytest.raises(ExtensionNotAvailableError):
        await resolver.resolve(A, "acme.new")
    resolver.forget(change_of(source, B))
    with pytest.raises(ExtensionNotAvailableError):
        await resolver.resolve(A, "acme.new")
    resolver.forget(change_of(source, A, "acme.new"))
    await resolver.resolve(A, "acme.new")


async def test_an_answer_that_was_asked_for_before_the_change_is_not_remembered(
    resolver: Resolver, source: Source
) -> None:
    source.gate.clear()
    early = asyncio.create_task(resolver.resolve(A, "acme.x"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    resolver.forget(change_of(source, A))
    late = asyncio.create_task(resolver.resolve(A, "acme.x"))
    await asyncio.sleep(0)
    source.gate.set()
    first, second = await asyncio.gather(early, late)
    assert (source.asked, first is second) == (2, False)
    assert await resolver.resolve(A, "acme.x") is second


async def test_a_void_grant_is_forgotten_but_not_the_one_that_came_after(
    resolver: Resolver,
) -> None:
    void = await resolver.resolve(A, "acme.x")
    resolver.forget_grant(A, "acme.x", void)
    fresh = await resolver.resolve(A, "acme.x")
    assert fresh is not void
    resolver.forget_grant(A, "acme.x", void)
    assert await resolver.resolve(A, "acme.x") is fresh


async def test_when_nothing_is_heard_what_is_remembered_ends_by_itself(
    resolver: Resolver, source: Source, clock: ManualClock
) -> None:
    await resolver.resolve(A, "acme.x")
    source.installs.clear()
    clock.advance(CACHE_SECONDS)
    with pytest.raises(ExtensionNotAvailableError):
        await resolver.resolve(A, "acme.x")
    source.installs[A, "acme.x"] = InstallId(uuid4())
    clock.advance(MAX_MISSING_SECONDS)
    await resolver.resolve(A, "acme.x")
    # a grant that is out is no runner's to take after this, whoever kept it
    assert timedelta(seconds=30) >= GRANT_LIFETIME + LEEWAY
