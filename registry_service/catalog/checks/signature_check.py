"""Check `signature`: who vouches for these bytes as this version."""

from registry_service.catalog.checks.check import Passed, Submission
from registry_service.catalog.signing import SignatureGate
from shared.trust.envelope import SignedSubject


class SignatureCheck:
    """The envelope, under the trust and the policy of the day."""

    name = "signature"

    def __init__(self, *, gate: SignatureGate) -> None:
        self._gate = gate

    def applies(self, submission: Submission) -> bool:
        """Once the manifest says what must be signed."""
        return submission.manifest is not None

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`."""
        manifest = submission.manifest
        assert manifest is not None, "see applies"
        signature, warnings = self._gate.judge(
            submission.envelope or None,
            SignedSubject(
                content_hash=submission.content_hash,
                publisher=manifest.publisher,
                name=manifest.name,
                version=manifest.version,
                runtime=manifest.runtime,
            ),
        )
        submission.signature = signature
        return Passed(signature.detail, tuple(warnings))
