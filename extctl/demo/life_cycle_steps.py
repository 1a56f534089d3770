"""The demo's second half: what becomes of an install and of a version after the first day."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from extctl.bundling import repack
from extctl.catalogue_client import catalogue_client
from extctl.demo.story import Story, insist
from extctl.failures import CommandError
from extctl.files import replace_public_file
from extctl.install_client import SERVICE, InstallClient
from extctl.owner_key import OwnerKey
from extctl.publishing import publish_bundle
from extctl.registry_calls import registry_calls
from extctl.trust_file import read_trust_bundle, revoke_key
from shared.bundles.layout import MANIFEST_PATH
from shared.capabilities import SECRETS_GET
from shared.clock import SystemClock
from shared.errors import ConsentRequiredError, ExtensionError, VersionYankedError
from shared.identifiers import TenantId
from shared.trust.keys import read_private_key, sign_statement

NEXT_VERSION: Final = "1.1.0"
EFFECT_SECONDS: Final = 30.0
"""How long a quarantine or a revocation may take to be effective everywhere."""
CALLS_IN_A_ROW: Final = 8
"""Enough for both runners, which take turns."""
_ACTOR: Final = "demo"


async def update_with_consent(story: Story) -> Sequence[str]:
    """Plans an update that asks for more, is refused, consents, and rolls back."""
    extension, told = story.bundle.extension, []
    await _publish_next(story)
    async with _installs(story, story.tenant_a) as installs:
        plan = await installs.plan(extension)
        insist(
            plan.consent_required == (SECRETS_GET,),
            f"The plan should ask for consent to {SECRETS_GET}, not {plan.consent_required}.",
        )
        told.append(f"plan: {plan.from_version} → {plan.to_version}, needs {SECRETS_GET}")
        refusal = await _refused(installs.update(extension), ConsentRequiredError)
        told.append(f"update without consent: {refusal}")
        consent = plan.grant_with_consent
        agreed = await installs.plan(extension, capabilities=consent)
        updated, _ = await installs.update(
            extension, capabilities=consent, plan_hash=agreed.plan_hash
        )
        insist(updated.version == NEXT_VERSION, f"The install is at {updated.version}.")
        await story.call("GET", "/agreements", token=story.token_a, expect=200)
        told.append(f"update with consent: {updated.version}, revision {updated.revision}")
        first = min(each.revision for each in await installs.history(extension, limit=10))
        restored, _ = await installs.rollback(extension, first)
        insist(restored.version != NEXT_VERSION, "The rollback did not restore the version.")
        insist(
            SECRETS_GET not in restored.granted_capabilities,
            "The rollback did not take the new right back.",
        )
        told.append(f"rollback to revision {first}: {restored.version}, without {SECRETS_GET}")
    return told


async def yank_a_version(story: Story) -> Sequence[str]:
    """Withdraws the new version: it cannot be installed any more."""
    extension = story.bundle.extension
    async with catalogue_client(story.stack, clock=SystemClock()) as catalogue:
        await catalogue.yank(
            extension, NEXT_VERSION, reason="It was a mistake.", actor=_ACTOR, owner=_owner(story)
        )
    async with _installs(story, story.tenant_b) as installs:
        refusal = await _refused(
            installs.install(extension, version=NEXT_VERSION), VersionYankedError
        )
    return [f"tenant B installs {NEXT_VERSION}: {refusal}"]


async def quarantine_a_version(story: Story) -> Sequence[str]:
    """Stops the version that runs, everywhere, and frees it again."""
    extension, version = story.bundle.extension, story.bundle.manifest.version
    async with catalogue_client(story.stack, clock=SystemClock()) as catalogue:
        receipt = await catalogue.quarantine(
            extension, version, reason="It is being looked at.", actor=_ACTOR
        )
        stopped = await _until(story, 404)
        await catalogue.lift_quarantine(extension, version, actor=_ACTOR)
        freed = await _until(story, 200)
    return [
        f"receipt {receipt.receipt_id}: {receipt.enabled_installs} enabled installs",
        f"stopped after {stopped:.2f} s, free again after {freed:.2f} s",
    ]


async def revoke_the_key(story: Story) -> Sequence[str]:
    """Revokes the publisher's key: what it signed stops running, until it is trusted again."""
    trust_file = story.stack.trust_bundle_file
    before = trust_file.read_bytes()
    entry = read_trust_bundle(trust_file).entries[0]
    key_id = revoke_key(trust_file, entry.key_id, at=SystemClock().now())
    stopped = await _until(story, 502)
    replace_public_file(trust_file, before)
    served = await _until(story, 200)
    return [
        f"key {key_id[:16]} revoked: stopped after {stopped:.2f} s (bundle_untrusted)",
        f"trusted again: served after {served:.2f} s",
    ]


async def _publish_next(story: Story) -> None:
    """The example again, as a next version that asks for one capability more."""
    document = json.loads(story.bundle.files[MANIFEST_PATH])
    document |= {
        "version": NEXT_VERSION,
        "capabilities": [*document["capabilities"], SECRETS_GET],
    }
    manifest = json.dumps(document, indent=2).encode()
    bundle = repack(story.bundle, {MANIFEST_PATH: manifest})
    envelope = sign_statement(read_private_key(_key_file(story)), bundle.subject)
    await publish_bundle(story.registry, bundle, owner=_owner(story), envelope=envelope)


async def _refused(call: Awaitable[object], expected: type[ExtensionError]) -> str:
    try:
        await call
    except expected as error:
        return f"{error.reason}: {error.message}"
    raise CommandError(f"The registry should have refused with {expected.reason}.")


async def _until(story: Story, status: int) -> float:
    """Calls until every runner answers with this status; gives the seconds that it took."""
    started = time.monotonic()
    took, in_a_row = 0.0, 0
    while in_a_row < CALLS_IN_A_ROW:
        answer = await story.gateway.call(
            "GET", f"{story.base}/agreements", token=story.token_a, body=None, headers=None
        )
        in_a_row = in_a_row + 1 if answer.status == status else 0
        took = time.monotonic() - started
        insist(
            in_a_row > 0 or took < EFFECT_SECONDS,
            f"After {took:.0f} s the answer is still {answer.status}.",
        )
    return took


@asynccontextmanager
async def _installs(story: Story, tenant_id: TenantId) -> AsyncIterator[InstallClient]:
    async with registry_calls(story.stack, service=SERVICE, clock=SystemClock()) as calls:
        yield InstallClient(calls, tenant_id=tenant_id, actor=_ACTOR)


def _owner(story: Story) -> OwnerKey:
    return OwnerKey.read(_key_file(story), clock=SystemClock())


def _key_file(story: Story) -> Path:
    key_file = story.stack.publisher_key_file
    assert key_file is not None  # the stack of the demo is extctl's own
    return key_file
