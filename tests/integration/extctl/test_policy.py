"""`extctl policy` against a running stack."""

import uuid

from tests.fixtures.platform import Platform


def test_a_tenants_policy_is_shown_set_and_taken_back(platform: Platform) -> None:
    tenant = str(uuid.uuid4())

    def policy(*more: str) -> tuple[str, str, str]:
        told = platform.stack.result("policy", "--tenant", tenant, *more)
        return told["own"], told["effective"], told["set_by"]

    assert policy() == ("platform", "require", "")
    assert policy("--signing", "require", "--actor", "ops") == ("require", "require", "ops")
    assert policy() == ("require", "require", "ops")
    refused = platform.stack.error("policy", "--tenant", tenant, "--signing", "warn")
    assert refused["reason"] == "ARGUMENT_INVALID"
    assert "as strict or stricter" in refused["message"]
    assert policy("--signing", "platform") == ("platform", "require", "")
