"""What the runner refuses to run, even if the registry allowed it."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from runner_service.bootstrap import running
from runner_service.engine import Engine
from shared.bundles.layout import COMPONENT_PATH, bundle_key, signature_key
from shared.identifiers import ContentHash
from shared.trust.keys import generate_key, public_pem, sign_statement
from tests.fixtures.rpc_errors import told
from tests.fixtures.runner import Published, RunnerClient, RunnerHome, client_of, signing_key


async def refusal_of(client: RunnerClient, grant: str, **fields: object) -> str:
    with told() as refusal:
        await client.execute(grant, "/u", **fields)  # type: ignore[arg-type]
    return refusal.reason


@pytest.fixture
async def published(runner_home: RunnerHome, scenarios_bytes: bytes) -> Published:
    return await runner_home.publish(scenarios_bytes)


async def test_a_grant_by_another_key_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    grant = runner_home.grant(published, key=signing_key())

    assert await refusal_of(runner_client, grant) == "INVOCATION_GRANT_INVALID"


async def test_a_grant_that_a_service_signed_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    grant = runner_home.grant(published, key=runner_home.gateway_key)

    assert await refusal_of(runner_client, grant) == "INVOCATION_GRANT_INVALID"


async def test_an_expired_grant_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    grant = runner_home.grant(published, expires_in=timedelta(seconds=-11))

    assert await refusal_of(runner_client, grant) == "INVOCATION_GRANT_INVALID"


@pytest.mark.parametrize("grant", ["", "x", "a.b.c", "e30.e30.", "x" * 9000])
async def test_what_is_no_grant_is_refused(runner_client: RunnerClient, grant: str) -> None:
    assert await refusal_of(runner_client, grant) == "INVOCATION_GRANT_INVALID"


async def test_a_changed_grant_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    header, _, signature = runner_home.grant(published).split(".")
    _, claims, _ = runner_home.grant(published).split(".")

    refused = await refusal_of(runner_client, f"{header}.{claims}.{signature}")
    assert refused == "INVOCATION_GRANT_INVALID"


async def test_another_config_than_the_granted_one_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    grant = runner_home.grant(published, config_json='{"limit":1}')

    refused = await refusal_of(runner_client, grant, config_json='{"limit":2}')
    assert refused == "INVOCATION_GRANT_INVALID"


async def test_an_unsigned_bundle_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, scenarios_bytes: bytes
) -> None:
    unsigned = await runner_home.publish(scenarios_bytes, signed=False)

    assert await refusal_of(runner_client, runner_home.grant(unsigned)) == "BUNDLE_UNTRUSTED"


async def test_an_unsigned_bundle_runs_where_the_policy_is_off(
    runner_home: RunnerHome, scenarios_bytes: bytes
) -> None:
    unsigned = await runner_home.publish(scenarios_bytes, signed=False)

    async with (
        running(runner_home.settings(RUNNER_SIGNING_POLICY="off")) as runner,
        client_of(runner.port, runner_home.gateway_key) as client,
    ):
        answer = await client.execute(runner_home.grant(unsigned), "/u")

    assert answer.http.status == 200


async def test_a_bundle_signed_by_an_unknown_key_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, scenarios_bytes: bytes
) -> None:
    foreign = await runner_home.publish(scenarios_bytes, key=generate_key())

    assert await refusal_of(runner_client, runner_home.grant(foreign)) == "BUNDLE_UNTRUSTED"


@pytest.mark.parametrize(
    "said",
    [
        {"version": "2.0.0"},
        {"name": "other"},
        {"publisher": "other"},
        {"content_hash": f"sha256:{'0' * 64}"},
    ],
)
async def test_a_signature_about_something_else_is_refused(
    runner_client: RunnerClient,
    runner_home: RunnerHome,
    scenarios_bytes: bytes,
    said: dict[str, str],
) -> None:
    other = await runner_home.publish(scenarios_bytes, signed_as=said)

    assert await refusal_of(runner_client, runner_home.grant(other)) == "BUNDLE_UNTRUSTED"


async def test_a_grant_that_names_a_missing_signature_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    grant = runner_home.grant(Published(published.subject, "ab" * 32))

    assert await refusal_of(runner_client, grant) == "BUNDLE_UNTRUSTED"


async def test_a_signature_that_was_replaced_in_the_store_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    key = signature_key(published.content_hash, published.signature_digest)
    await runner_home.store.delete(key)
    await runner_home.store.put_if_absent(key, b"{}")

    assert await refusal_of(runner_client, runner_home.grant(published)) == "BUNDLE_UNTRUSTED"


async def test_a_key_that_leaves_the_trust_bundle_stops_a_warm_bundle(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    grant = runner_home.grant(published)
    assert (await runner_client.execute(grant, "/u")).http.status == 200

    (runner_home.root / "trust.pem").write_bytes(public_pem(generate_key()))
    await asyncio.sleep(5.5)  # the file is looked at every five seconds

    assert await refusal_of(runner_client, grant) == "BUNDLE_UNTRUSTED"


async def test_a_bundle_with_changed_bytes_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, scenarios_bytes: bytes
) -> None:
    published = await runner_home.publish(scenarios_bytes, others={"ui/a.txt": b"changed"})
    key = bundle_key(published.content_hash)
    data = bytearray(await runner_home.store.get(key, max_bytes=1 << 20))
    data[len(data) // 2] ^= 1
    await runner_home.store.delete(key)
    await runner_home.store.put_if_absent(key, bytes(data))

    refused = await refusal_of(runner_client, runner_home.grant(published))
    assert refused == "CONTENT_HASH_MISMATCH"


async def test_a_bundle_that_is_not_stored_is_unavailable(
    runner_client: RunnerClient, runner_home: RunnerHome, published: Published
) -> None:
    content_hash = ContentHash(f"sha256:{hashlib.sha256(b'nothing').hexdigest()}")
    subject = replace(published.subject, content_hash=content_hash)
    missing = await _signed(runner_home, Published(subject, ""))

    assert await refusal_of(runner_client, runner_home.grant(missing)) == "BUNDLE_UNAVAILABLE"


@pytest.mark.parametrize(
    "component",
    [b"\0asm\1\0\0\0", b"(component)", b"\x7fELF", b"", b"\0asm\x0d\0\1\0"],
    ids=["core module", "text", "machine code", "empty", "without handler"],
)
async def test_what_is_no_runnable_component_is_refused(
    runner_client: RunnerClient, runner_home: RunnerHome, component: bytes
) -> None:
    published = await runner_home.publish(component)

    refused = await refusal_of(runner_client, runner_home.grant(published))
    assert refused == "COMPONENT_INVALID"


async def test_precompiled_code_of_a_publisher_is_never_looked_at(
    runner_client: RunnerClient,
    runner_home: RunnerHome,
    engine: Engine,
    scenarios_bytes: bytes,
    hostile_bytes: bytes,
) -> None:
    """Real machine code of another guest lies at every place; the component is what runs."""
    other = runner_home.root / "other.cwasm"
    other.write_bytes(engine.compile(hostile_bytes).code())
    code = other.read_bytes()
    places = ("precompiled/x86_64-linux.cwasm", "dist/main.cwasm", f"{COMPONENT_PATH}.cwasm")
    published = await runner_home.publish(scenarios_bytes, others=dict.fromkeys(places, code))

    answer = await runner_client.execute(runner_home.grant(published), "/u")

    assert answer.http.body == b"/u"


async def _signed(home: RunnerHome, published: Published) -> Published:
    envelope = sign_statement(home.publisher_key, published.subject)
    digest = hashlib.sha256(envelope).hexdigest()
    await home.store.put_if_absent(signature_key(published.content_hash, digest), envelope)
    return Published(published.subject, digest)
