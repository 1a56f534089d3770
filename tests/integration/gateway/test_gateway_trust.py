"""What callers see when the registry no longer trusts what they call."""

import pytest

from shared.errors import BundleStoreUnavailableError, BundleUntrustedError, ExtensionError
from tests.fixtures.gateway import GatewayRig


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (BundleUntrustedError("Key 0123 was revoked."), 502, "bundle_untrusted"),
        (BundleStoreUnavailableError(), 503, "bundle_store_unavailable"),
    ],
    ids=["revoked", "nobody can say"],
)
async def test_a_version_that_is_not_trusted_any_more_is_not_called(
    rig: GatewayRig, failure: ExtensionError, status: int, reason: str
) -> None:
    rig.registry.failure = failure
    async with rig.http.get(rig.url()) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (status, reason)
    assert not rig.runner.requests

    rig.registry.failure = None
    async with rig.http.get(rig.url()) as answer:
        assert answer.status == 200
