"""What each signing policy admits."""

import pytest

from shared.errors import BundleUntrustedError
from shared.trust.verification import (
    SignatureVerification,
    SigningPolicy,
    VerificationResult,
    enforce,
)

ANSWERS = {result: SignatureVerification(result, "It is so.") for result in VerificationResult}


@pytest.mark.parametrize("result", [VerificationResult.NOT_SIGNED, VerificationResult.FAILED])
def test_require_admits_only_what_is_verified(result: VerificationResult) -> None:
    assert enforce(SigningPolicy.REQUIRE, ANSWERS[VerificationResult.VERIFIED]) == []
    with pytest.raises(BundleUntrustedError, match="It is so") as caught:
        enforce(SigningPolicy.REQUIRE, ANSWERS[result])
    assert caught.value.metadata == {"result": result.value}


def test_warn_admits_with_a_warning_and_off_without() -> None:
    for result, verification in ANSWERS.items():
        warned = enforce(SigningPolicy.WARN, verification)
        assert bool(warned) is (result is not VerificationResult.VERIFIED)
        assert enforce(SigningPolicy.OFF, verification) == []
