"""Compiled components in memory and on disk: ours, unchanged, or compiled anew."""

import asyncio
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from runner_service.bundle_cache.artefact_key import CacheDirectoryError, open_cache_directory
from runner_service.bundle_cache.artefacts import Artefact, Artefacts
from runner_service.bundle_cache.bundle_cache import BundleCache
from runner_service.bundle_cache.bundle_trust import BundleTrust
from runner_service.bundle_cache.component_memory import ComponentMemory
from runner_service.bundle_cache.fleet_artefacts import FleetArtefacts
from runner_service.engine import CompiledComponent, Engine, EngineSettings
from runner_service.metrics import CacheMetrics
from shared.bundles.file_store import FileBundleStore
from shared.bundles.fleet_artefact import ArtefactKey
from shared.clock import ManualClock
from shared.component_compiler import ComponentCompiler, compiler_command
from shared.errors import (
    BundleUnavailableError,
    BundleUntrustedError,
    CompilerUnavailableError,
    ComponentInvalidError,
)
from shared.identifiers import ContentHash
from shared.tokens.invocation_grant import InvocationGrant
from shared.trust.keys import generate_key, public_pem
from shared.trust.trust_bundle_file import TrustBundleFile
from shared.trust.verification import SigningPolicy
from tests.fixtures.guests.answers import Answers, limits, request
from tests.fixtures.guests.assembly import assemble
from tests.fixtures.invocations import grant_of
from tests.fixtures.runner import Published, RunnerHome


class CountingStore(FileBundleStore):
    """A real store that counts what is read."""

    reads = 0

    async def get(self, key: str, *, max_bytes: int) -> bytes:
        self.reads += 1
        return await super().get(key, max_bytes=max_bytes)


class CacheUnderTest:
    """A cache over a directory; `again` is the next process on the same directory."""

    def __init__(
        self,
        *,
        home: RunnerHome,
        engine: Engine,
        root: Path,
        max_disk_bytes: int = 1 << 30,
        fleet_key: ArtefactKey | None = None,
        compiler: ComponentCompiler | None = None,
    ) -> None:
        self.home, self.engine, self.root = home, engine, root
        self.registry = CollectorRegistry()
        self.clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.store = CountingStore(root=home.root / "store")
        metrics = CacheMetrics(self.registry)
        self.artefacts = Artefacts(
            root=root,
            mac_key=open_cache_directory(root),
            engine=engine,
            max_bytes=max_disk_bytes,
            metrics=metrics,
        )
        self.cache = BundleCache(
            store=self.store,
            trust=BundleTrust(
                store=self.store,
                trust_bundle=TrustBundleFile(path=home.root / "trust.pem", clock=self.clock),
                policy=SigningPolicy.REQUIRE,
                clock=self.clock,
            ),
            compiler=compiler or ComponentCompiler(command=compiler_command("")),
            memory=ComponentMemory(max_bytes=1 << 30, metrics=metrics),
            artefacts=self.artefacts,
            fleet=FleetArtefacts(
                store=self.store,
                key=fleet_key,
                artefacts=self.artefacts,
                fingerprint=engine.fingerprint,
            )
            if fleet_key
            else None,
            metrics=metrics,
        )

    def again(self) -> "CacheUnderTest":
        return CacheUnderTest(home=self.home, engine=self.engine, root=self.root)

    def found(self, source: str) -> float:
        name = "extension_runner_component_lookups_total"
        return self.registry.get_sample_value(name, {"source": source}) or 0

    def files(self) -> list[Path]:
        return sorted(self.root.glob("*.compiled"))

    async def answer_of(self, grant: InvocationGrant) -> bytes | None:
        component = (await self.cache.component(grant)).component
        run = await asyncio.to_thread(
            self.engine.run, component, request("/u"), Answers(), limits()
        )
        assert run.response is not None
        return run.response.body


@pytest.fixture
def cache(runner_home: RunnerHome, engine: Engine) -> CacheUnderTest:
    return CacheUnderTest(home=runner_home, engine=engine, root=runner_home.root / "cache")


@pytest.fixture
async def grant(runner_home: RunnerHome, scenarios_bytes: bytes) -> InvocationGrant:
    return granted(await runner_home.publish(scenarios_bytes))


def granted(published: Published) -> InvocationGrant:
    return replace(
        grant_of(),
        content_hash=published.content_hash,
        signature_digest=published.signature_digest,
    )


async def test_a_component_is_compiled_once_then_kept_in_memory_and_on_disk(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    assert (await cache.cache.component(grant)).cold
    assert not (await cache.cache.component(grant)).cold
    restarted = cache.again()
    assert await restarted.answer_of(grant) == b"/u"

    assert (cache.found("compiled"), cache.found("memory")) == (1, 1)
    assert (restarted.found("disk"), restarted.found("compiled")) == (1, 0)


async def test_many_callers_at_once_share_one_compilation(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    loaded = await asyncio.gather(*(cache.cache.component(grant) for _ in range(20)))

    assert len({id(one.component) for one in loaded}) == 1
    assert cache.found("compiled") == 1


async def test_a_caller_that_gives_up_does_not_take_the_component_from_the_others(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    first = asyncio.create_task(cache.cache.component(grant))
    second = asyncio.create_task(cache.cache.component(grant))
    while not cache.found("compiled"):  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.001)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first

    assert (await second).cold


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(data))


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _rename(path: Path) -> None:
    """The same bytes under another bundle's name."""
    key, mac, suffix = path.name.split(".")
    path.rename(path.with_name(f"{key}.{mac[::-1]}.{suffix}"))


def _replace_by_link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("damage", [_flip, _truncate, _empty, _rename, _replace_by_link])
async def test_a_changed_artefact_is_removed_and_the_bundle_compiled_anew(
    cache: CacheUnderTest, grant: InvocationGrant, damage: Callable[[Path], None]
) -> None:
    await cache.cache.component(grant)
    [kept] = cache.files()
    damage(kept)

    restarted = cache.again()
    assert await restarted.answer_of(grant) == b"/u"

    assert restarted.found("compiled") == 1
    assert restarted.registry.get_sample_value("extension_runner_corrupt_artefacts_total") == 1
    assert len(cache.files()) == 1
    assert await cache.again().answer_of(grant) == b"/u"


async def test_machine_code_without_our_key_is_never_run(
    cache: CacheUnderTest, grant: InvocationGrant, hostile_bytes: bytes
) -> None:
    """Someone who can write the directory, but has not the key, plants another guest's code."""
    await cache.cache.component(grant)
    [kept] = cache.files()
    stranger = Artefacts(
        root=cache.root,
        mac_key=b"\0" * 32,
        engine=cache.engine,
        max_bytes=1 << 30,
        metrics=CacheMetrics(CollectorRegistry()),
    )
    kept.unlink()
    code = cache.engine.compile(hostile_bytes).code()
    await asyncio.to_thread(stranger.keep, grant.content_hash, code)

    assert await cache.again().answer_of(grant) == b"/u"


class OtherEngine(Engine):
    """An engine of another version, as far as caches can tell."""

    @property
    def fingerprint(self) -> str:
        return f"{super().fingerprint};other"


async def test_what_another_engine_compiled_is_not_taken(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    await cache.cache.component(grant)
    with OtherEngine(settings=EngineSettings(max_instances=2)) as other_engine:
        other = CacheUnderTest(home=cache.home, engine=other_engine, root=cache.root)
        assert (await other.cache.component(grant)).cold

    assert other.found("compiled") == 1


async def test_an_engine_without_a_pool_takes_the_same_code(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    await cache.cache.component(grant)
    with Engine(settings=EngineSettings(pooling=False)) as plain:
        other = CacheUnderTest(home=cache.home, engine=plain, root=cache.root)
        assert await other.answer_of(grant) == b"/u"

    assert other.found("disk") == 1


async def test_a_full_disk_costs_the_copy_and_not_the_call(
    cache: CacheUnderTest, grant: InvocationGrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> tuple[int, str]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("runner_service.bundle_cache.artefacts.tempfile.mkstemp", full)
    assert await cache.answer_of(grant) == b"/u"
    assert cache.files() == []


FLEET_KEY = ArtefactKey(bytes(range(32)))


async def put_fleet_code(cache: CacheUnderTest, grant: InvocationGrant, code: bytes) -> None:
    """Puts code beside the bundle, as the registry does."""
    fingerprint = cache.engine.fingerprint
    name = FLEET_KEY.object_key(grant.content_hash, fingerprint)
    sealed = FLEET_KEY.seal(code, content_hash=grant.content_hash, fingerprint=fingerprint)
    await cache.store.put_if_absent(name, sealed)


async def test_code_of_the_fleet_is_run_without_a_compiler(
    cache: CacheUnderTest, grant: InvocationGrant, scenarios: CompiledComponent
) -> None:
    await put_fleet_code(cache, grant, scenarios.code())
    fleet = CacheUnderTest(
        home=cache.home,
        engine=cache.engine,
        root=cache.root,
        fleet_key=FLEET_KEY,
        compiler=ComponentCompiler(command=["/bin/false"]),
    )
    assert await fleet.answer_of(grant) == b"/u"
    assert (fleet.found("fleet"), fleet.found("compiled")) == (1, 0)
    assert await cache.again().answer_of(grant) == b"/u"  # it is on our own disk now
    assert len(cache.files()) == 1


@pytest.mark.parametrize("wrong", ["key", "bytes", "bundle", "engine", "nonsense"])
async def test_code_that_the_fleet_did_not_seal_for_this_is_never_run(
    cache: CacheUnderTest,
    grant: InvocationGrant,
    hostile_bytes: bytes,
    wrong: str,
) -> None:
    code = cache.engine.compile(hostile_bytes).code()
    other_bundle = ContentHash(f"sha256:{'0' * 64}")
    content_hash, fingerprint = grant.content_hash, cache.engine.fingerprint
    right = FLEET_KEY.seal(code, content_hash=content_hash, fingerprint=fingerprint)
    sealed = {
        "key": ArtefactKey(bytes(32)).seal(
            code, content_hash=content_hash, fingerprint=fingerprint
        ),
        "bytes": right[:-1] + bytes([right[-1] ^ 1]),
        "bundle": FLEET_KEY.seal(code, content_hash=other_bundle, fingerprint=fingerprint),
        "engine": FLEET_KEY.seal(code, content_hash=content_hash, fingerprint="other"),
        "nonsense": b"",
    }[wrong]
    name = FLEET_KEY.object_key(content_hash, fingerprint)
    await cache.store.put_if_absent(name, sealed)
    fleet = CacheUnderTest(
        home=cache.home, engine=cache.engine, root=cache.root, fleet_key=FLEET_KEY
    )
    assert await fleet.answer_of(grant) == b"/u"
    assert (fleet.found("fleet"), fleet.found("compiled")) == (0, 1)


async def test_the_fleets_code_that_does_not_fit_here_is_compiled_anew(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    await put_fleet_code(cache, grant, b"\x7fELF of another machine")
    fleet = CacheUnderTest(
        home=cache.home, engine=cache.engine, root=cache.root, fleet_key=FLEET_KEY
    )
    assert await fleet.answer_of(grant) == b"/u"
    assert fleet.found("compiled") == 1


async def test_the_directory_stays_below_its_size_and_the_least_used_goes_first(
    runner_home: RunnerHome, engine: Engine
) -> None:
    guest = assemble('(module (func (export "handler") (param i32) (result i32) unreachable))')
    published = [await runner_home.publish(guest, others={"n": bytes([n])}) for n in range(3)]
    first = CacheUnderTest(home=runner_home, engine=engine, root=runner_home.root / "cache")
    await first.cache.component(granted(published[0]))
    size = first.files()[0].stat().st_size
    small = CacheUnderTest(
        home=runner_home, engine=engine, root=first.root, max_disk_bytes=size * 5 // 2
    )
    await small.cache.component(granted(published[1]))
    await small.cache.component(granted(published[0]))  # used again: it is younger now
    await small.cache.component(granted(published[2]))

    next_one = first.again()
    for one in published:
        await next_one.cache.component(granted(one))
    assert (next_one.found("disk"), next_one.found("compiled")) == (2, 1)


def test_memory_lets_the_least_used_go(scenarios: CompiledComponent) -> None:
    memory = ComponentMemory(max_bytes=20, metrics=CacheMetrics(CollectorRegistry()))
    one, two, three = (ContentHash(f"sha256:{digit * 64}") for digit in "123")
    memory.put(one, Artefact(scenarios, 8))
    memory.put(two, Artefact(scenarios, 8))
    assert memory.get(one) is scenarios
    memory.put(three, Artefact(scenarios, 8))

    assert memory.get(two) is None
    assert memory.get(one) is scenarios
    assert memory.get(three) is scenarios


async def test_a_failed_load_is_tried_again(
    cache: CacheUnderTest, grant: InvocationGrant, runner_home: RunnerHome
) -> None:
    hidden = runner_home.root / "hidden"
    (runner_home.root / "store").rename(hidden)
    with pytest.raises((BundleUnavailableError, BundleUntrustedError)):
        await cache.cache.component(grant)
    hidden.rename(runner_home.root / "store")

    assert await cache.answer_of(grant) == b"/u"


async def test_a_bundle_without_a_component_is_refused(
    cache: CacheUnderTest, runner_home: RunnerHome
) -> None:
    published = await runner_home.publish(b"not wasm")
    with pytest.raises(ComponentInvalidError):
        await cache.cache.component(granted(published))


async def test_what_was_refused_is_not_fetched_and_compiled_again(
    cache: CacheUnderTest, runner_home: RunnerHome
) -> None:
    published = await runner_home.publish(b"\0asm\x0d\0\1\0")
    told = set()
    for _ in range(3):
        with pytest.raises(ComponentInvalidError) as error:
            await cache.cache.component(granted(published))
        told.add(error.value.message)

    assert len(told) == 1
    assert cache.store.reads == 2  # the bundle and its signature, once


async def test_a_compiler_that_dies_on_a_component_is_not_asked_again(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    dying = "import os, sys; sys.stdin.buffer.read(); os.abort()"
    broken = CacheUnderTest(
        home=cache.home,
        engine=cache.engine,
        root=cache.root,
        compiler=ComponentCompiler(command=[sys.executable, "-c", dying]),
    )
    for _ in range(2):
        with pytest.raises(ComponentInvalidError, match="does not survive"):
            await broken.cache.component(grant)
    assert broken.found("compiled") == 1


async def test_a_compiler_that_is_out_of_order_is_asked_again(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    broken = CacheUnderTest(
        home=cache.home,
        engine=cache.engine,
        root=cache.root,
        compiler=ComponentCompiler(command=["/no/such/compiler"]),
    )
    for _ in range(2):
        with pytest.raises(CompilerUnavailableError):
            await broken.cache.component(grant)
    assert broken.found("compiled") == 2
    assert await cache.answer_of(grant) == b"/u"


async def test_a_trust_bundle_that_turns_bad_leaves_the_last_good_one(
    cache: CacheUnderTest, grant: InvocationGrant, runner_home: RunnerHome
) -> None:
    await cache.cache.component(grant)
    (runner_home.root / "trust.pem").write_bytes(b"half a fi")
    cache.clock.advance(60)

    assert await cache.answer_of(grant) == b"/u"


async def test_a_warm_bundle_reads_nothing_from_the_store(
    cache: CacheUnderTest, grant: InvocationGrant
) -> None:
    await cache.cache.component(grant)
    before = cache.store.reads
    cache.clock.advance(60)
    await cache.cache.component(grant)

    assert cache.store.reads == before


async def test_a_changed_trust_bundle_is_asked_again_for_a_warm_bundle(
    cache: CacheUnderTest, grant: InvocationGrant, runner_home: RunnerHome
) -> None:
    await cache.cache.component(grant)
    (runner_home.root / "trust.pem").write_bytes(public_pem(generate_key()))
    cache.clock.advance(5)

    with pytest.raises(BundleUntrustedError):
        await cache.cache.component(grant)


async def test_a_key_that_expires_while_its_bundle_is_warm_stops_it(
    cache: CacheUnderTest, grant: InvocationGrant, runner_home: RunnerHome
) -> None:
    trusted = public_pem(runner_home.publisher_key)
    until = b"not-after: 2026-01-01T00:01:00Z\n"
    (runner_home.root / "trust.pem").write_bytes(until + trusted)
    limited = cache.again()
    await limited.cache.component(grant)
    limited.clock.advance(61)

    with pytest.raises(BundleUntrustedError):
        await limited.cache.component(grant)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    return path


def test_the_key_is_made_once_and_readable_by_us_alone(directory: Path) -> None:
    key = open_cache_directory(directory)

    assert open_cache_directory(directory) == key
    assert len(key) == 32
    assert (directory / "mac.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in directory.iterdir()] == ["mac.key"]


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777])
def test_a_directory_that_others_may_enter_is_refused(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    with pytest.raises(CacheDirectoryError, match="chmod"):
        open_cache_directory(directory)


def test_a_linked_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(directory)
    with pytest.raises(CacheDirectoryError, match="not a directory"):
        open_cache_directory(tmp_path / "link")


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_refused(directory: Path, damage: bytes) -> None:
    open_cache_directory(directory)
    (directory / "mac.key").write_bytes(damage)
    with pytest.raises(CacheDirectoryError, match="damaged"):
        open_cache_directory(directory)
