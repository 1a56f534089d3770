"""Check `secrets`: what must not leave the publisher's hands is not in the bundle."""

import asyncio
from typing import Final

from registry_service.catalog.checks.check import Passed, Submission
from shared.bundles.entry_path import shown
from shared.bundles.secret_scan import EmbeddedSecret, embedded_secrets
from shared.errors import BundleInvalidError, Fault

_MAX_TOLD: Final = 20


class SecretCheck:
    """Refuses private keys, warns of what looks like a token."""

    name = "secrets"

    def applies(self, submission: Submission) -> bool:
        """Once the archive was read."""
        return bool(submission.files)

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`."""
        found = await asyncio.to_thread(embedded_secrets, submission.files)
        certain = [secret for secret in found if secret.is_certain][:_MAX_TOLD]
        if certain:
            raise BundleInvalidError(
                f"The bundle would publish a secret: {_where(certain[0])}.",
                faults=[
                    Fault(
                        f"files[{shown(secret.path)}]",
                        "secret_embedded",
                        f"There is {_where(secret)}.",
                        "Take it out, and replace the key: who has the bundle has it. Secrets of "
                        "an install come through alga:extension/secrets.",
                    )
                    for secret in certain
                ],
            )
        warnings = [
            f"There is what looks like a secret: {_where(secret)}." for secret in found[:_MAX_TOLD]
        ]
        return Passed("No secret was found.", tuple(warnings))


def _where(secret: EmbeddedSecret) -> str:
    return f"{secret.kind} at byte {secret.offset} of {shown(secret.path)}"
