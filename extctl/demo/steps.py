"""The demo, step by step. Each does something real, insists on the outcome, and tells it.

The first step, a publisher's key in the trust bundle, comes before these: the stack starts with it.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from extctl.bundling import CheckedBundle, repack
from extctl.demo.life_cycle_steps import (
    quarantine_a_version,
    revoke_the_key,
    update_with_consent,
    yank_a_version,
)
from extctl.demo.story import Story, insist, insist_on_refusal, load_example
from extctl.owner_key import OwnerKey
from extctl.publishing import create_development_publisher, publish_bundle
from shared.bundles.layout import BUNDLE_NAME, MANIFEST_PATH
from shared.clock import SystemClock
from shared.errors import BundleUntrustedError, ExtensionError
from shared.trust.keys import read_private_key, sign_statement

LOG_SECONDS: Final = 15.0
_NEXT_VERSION: Final = "1.0.1"

Details = Sequence[str]
Step = Callable[[Story], Awaitable[Details]]


async def pack_sign_publish(story: Story) -> Details:
    """Packs twice, signs and publishes."""
    bundle, again = story.bundle, load_example(story.example)
    insist(bundle.data == again.data, "Packing the same files twice gave different bytes.")
    key_file = story.stack.publisher_key_file
    assert key_file is not None  # the stack of the demo is extctl's own
    story.envelope = sign_statement(read_private_key(key_file), bundle.subject)
    owner = OwnerKey.read(key_file, clock=SystemClock())
    await create_development_publisher(
        story.registry, story.stack, bundle.manifest.publisher, owner
    )
    published = await publish_bundle(story.registry, bundle, owner=owner, envelope=story.envelope)
    insist(
        published.signature == "verified",
        f"The signature should be verified: {published.signature_detail}",
    )
    insist(published.content_hash == bundle.content_hash, "The registry has another content hash.")
    return [
        f"{BUNDLE_NAME}: {len(bundle.files)} files, {len(bundle.data):,} bytes, twice the same",
        f"{bundle.content_hash}",
        f"published {bundle.extension} {published.version}: {published.signature_detail}",
        f"endpoints: {', '.join(published.endpoints)}",
    ]


async def install_for_tenant_a(story: Story) -> Details:
    """Installs for tenant A with its capabilities and a config value, and not for tenant B."""
    extension = story.bundle.extension
    config = f'{{"greeting": "{story.greeting}"}}'
    capabilities = story.bundle.manifest.capabilities
    install, _ = await story.registry.install(
        story.tenant_a, extension, capabilities=capabilities, config_json=config
    )
    insist(install.status == "enabled", f"The install is {install.status}.")
    insist(
        set(capabilities) <= set(install.granted_capabilities),
        f"The install was granted only {install.granted_capabilities}.",
    )
    return [
        f"tenant A {story.tenant_a}: install {install.install_id}",
        f"granted: {', '.join(install.granted_capabilities)}",
        f"config: {install.config_json}",
        f"tenant B {story.tenant_b}: not installed",
    ]


async def call_as_tenant_a(story: Story) -> Details:
    """Writes through the guest and reads it back."""
    draft = {"title": "Frame agreement", "counterparty": "Globex"}

    empty = await story.call("GET", "/agreements", token=story.token_a, expect=200)
    found = empty.json()
    insist(found.get("agreements") == [], "A fresh install should have no agreements.")
    insist(found.get("greeting") == story.greeting, "The guest does not see the config's greeting.")

    made = await story.call("POST", "/agreements", token=story.token_a, expect=201, body=draft)
    agreement = made.json()
    insist(draft.items() <= agreement.items(), "The POST does not answer with what was written.")

    one = f"/agreements/{agreement.get('id')}"
    again = await story.call("GET", one, token=story.token_a, expect=200)
    insist(again.json() == agreement, "The KV store gives back something else.")

    listed = await story.call("GET", "/agreements", token=story.token_a, expect=200)
    agreements = listed.json().get("agreements")
    insist(agreements == [agreement], "The list does not hold exactly what was written.")

    story.calls = [empty, made, again, listed]
    return [str(call) for call in story.calls]


async def refuse_the_others(story: Story) -> Details:
    """Another tenant, no token, an undeclared path; a tampered bundle and an unsigned one."""
    foreign = await story.call("GET", "/agreements", token=story.token_b, expect=404)
    anonymous = await story.call("GET", "/agreements", token="", expect=401)
    undeclared = await story.call("GET", "/secrets", token=story.token_a, expect=404)
    for call, reason in (
        (foreign, "extension_not_available"),
        (anonymous, "unauthenticated"),
        (undeclared, "endpoint_not_found"),
    ):
        said = call.json().get("reason")
        insist(said == reason, f"The reason should be {reason}, not {said}.")
    tampered, envelope = _tampered_after_signing(story)
    return [
        f"tenant B         {foreign}",
        f"no token         {anonymous}",
        f"undeclared path  {undeclared}",
        "tampered bundle  " + await _refusal(story, tampered, envelope, result="failed"),
        "unsigned bundle  " + await _refusal(story, tampered, b"", result="not_signed"),
    ]


def _tampered_after_signing(story: Story) -> tuple[CheckedBundle, bytes]:
    """A next version whose manifest was changed after the publisher had signed it."""
    key_file = story.stack.publisher_key_file
    assert key_file is not None  # the stack of the demo is extctl's own
    manifest = story.bundle.files[MANIFEST_PATH]
    honest = repack(story.bundle, {MANIFEST_PATH: _with_version(manifest, _NEXT_VERSION)})
    envelope = sign_statement(read_private_key(key_file), honest.subject)
    page = next(path for path in honest.files if path.endswith(".html"))
    return repack(honest, {page: honest.files[page] + b"<!-- not the publisher's -->\n"}), envelope


def _with_version(manifest: bytes, version: str) -> bytes:
    document = json.loads(manifest)
    return json.dumps({**document, "version": version}, indent=2).encode()


async def _refusal(story: Story, bundle: CheckedBundle, envelope: bytes, *, result: str) -> str:
    key_file = story.stack.publisher_key_file
    assert key_file is not None  # the stack of the demo is extctl's own
    owner = OwnerKey.read(key_file, clock=SystemClock())
    try:
        await publish_bundle(story.registry, bundle, owner=owner, envelope=envelope)
    except ExtensionError as error:
        return insist_on_refusal(error, reason=BundleUntrustedError.reason, result=result)
    return insist_on_refusal(None, reason=BundleUntrustedError.reason, result=result)


async def show_executions(story: Story) -> Details:
    """Waits for the log, which follows the calls, and checks its rows."""
    deadline = time.monotonic() + LOG_SECONDS
    while True:
        story.executions = await story.registry.executions(story.tenant_a)
        rows = story.executions_of_calls()
        if len(rows) == len(story.calls):
            break
        insist(
            time.monotonic() < deadline,
            f"The log has {len(rows)} of {len(story.calls)} calls after {LOG_SECONDS:.0f} s.",
        )
        await asyncio.sleep(0.1)
    statuses = {row.request_id: row.http_status for row in rows}
    for call in story.calls:
        logged, answered = statuses[call.request_id], call.answer.status
        insist(logged == answered, f"The log says {logged}, not {answered}, for: {call}")
    insist(all(row.status == "ok" for row in rows), "The log has a call that is not ok.")
    others = await story.registry.executions(story.tenant_b)
    insist(not others, "The log has executions of tenant B.")
    return [f"{len(rows)} executions of tenant A, none of tenant B"]


STEPS: Final[Sequence[tuple[str, Step]]] = (
    ("Pack the example twice, sign it, publish it", pack_sign_publish),
    ("Install it for tenant A, and not for tenant B", install_for_tenant_a),
    ("Call it through the gateway as a user of tenant A", call_as_tenant_a),
    ("See everyone else refused", refuse_the_others),
    ("Read the execution log", show_executions),
    ("Plan an update, consent to it, roll it back", update_with_consent),
    ("Yank the new version", yank_a_version),
    ("Quarantine the old version, and free it", quarantine_a_version),
    ("Revoke the publisher's key", revoke_the_key),
)
