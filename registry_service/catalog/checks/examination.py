"""All checks of a publish, one after the other, and one answer of what they found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry_service.catalog.checks.check import Check, Submission
from registry_service.catalog.model import CheckResult, PublishCheck
from shared.errors import (
    BundleInvalidError,
    BundleTooLargeError,
    BundleUntrustedError,
    ComponentInvalidError,
    ExtensionError,
    Fault,
    ManifestInvalidError,
)

_VERDICTS: Final = (
    BundleInvalidError,
    BundleTooLargeError,
    BundleUntrustedError,
    ComponentInvalidError,
    ManifestInvalidError,
)
"""What a check refuses with; any other error means that it could not be carried out."""
_MAX_FAULTS: Final = 100
_MAX_DETAIL: Final = 1000


@dataclass(frozen=True, slots=True)
class Findings:
    """What the checks found. `refusal` has all faults of all checks that failed."""

    checks: tuple[PublishCheck, ...]
    warnings: tuple[str, ...]
    refusal: ExtensionError | None


class Examination:
    """Runs the checks in order; one that fails does not keep the others from being told."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = tuple(checks)

    async def examine(self, submission: Submission) -> Findings:
        """Runs every check that applies.

        Raises:
            ExtensionError: a check could not be carried out.
        """
        done: list[PublishCheck] = []
        warnings: list[str] = []
        failed: list[tuple[str, ExtensionError]] = []
        for check in self._checks:
            if not check.applies(submission):
                continue
            try:
                passed = await check.run(submission)
            except _VERDICTS as error:
                failed.append((check.name, error))
                done.append(PublishCheck(check.name, CheckResult.FAILED, _cut(error.message)))
                continue
            warnings += passed.warnings
            result = CheckResult.WARNED if passed.warnings else CheckResult.PASSED
            detail = " ".join(passed.warnings) or passed.detail
            done.append(PublishCheck(check.name, result, _cut(detail)))
        return Findings(tuple(done), tuple(warnings), _refusal(failed))


def _refusal(failed: Sequence[tuple[str, ExtensionError]]) -> ExtensionError | None:
    """One error for all: the first one's, with the faults of each."""
    if not failed:
        return None
    _, first = failed[0]
    more = f" ({len(failed) - 1} more checks failed.)" if len(failed) > 1 else ""
    faults = [fault for name, error in failed for fault in _faults(name, error)]
    refusal = type(first)(first.message + more, faults=faults[:_MAX_FAULTS])
    refusal.metadata = first.metadata
    return refusal


def _faults(name: str, error: ExtensionError) -> Iterator[Fault]:
    if error.faults:
        yield from error.faults
    else:
        yield Fault(name, error.reason.lower(), error.message)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_DETAIL else f"{text[: _MAX_DETAIL - 1]}…"
