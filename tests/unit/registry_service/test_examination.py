"""One answer of many checks."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from registry_service.catalog.checks.check import Passed, Submission
from registry_service.catalog.checks.examination import Examination
from registry_service.catalog.model import CheckResult, RegistryEntry
from shared.errors import (
    BundleUntrustedError,
    CompilerUnavailableError,
    ComponentInvalidError,
    ExtensionError,
    Fault,
    ManifestInvalidError,
)
from shared.identifiers import ContentHash, RegistryId


@dataclass
class Told:
    """A check that ends as it was told to."""

    name: str
    error: ExtensionError | None = None
    warnings: tuple[str, ...] = ()
    wanted: bool = True
    ran: list[str] = field(default_factory=list)

    def applies(self, submission: Submission) -> bool:
        return self.wanted

    async def run(self, submission: Submission) -> Passed:
        self.ran.append(self.name)
        if self.error is not None:
            raise self.error
        return Passed("Fine.", self.warnings)


@pytest.fixture
def submission() -> Submission:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    entry = RegistryEntry(
        registry_id=RegistryId(uuid4()), publisher="acme", name="x", display_name="",
        description="", latest_version="", created_at=now, updated_at=now,
    )  # fmt: skip
    content_hash = ContentHash(f"sha256:{'0' * 64}")
    return Submission(entry=entry, content_hash=content_hash, packed=b"x", envelope=b"")


async def test_what_passes_and_what_warns_is_told_in_order(submission: Submission) -> None:
    checks = [Told("one"), Told("two", warnings=("Careful.", "Slow.")), Told("not", wanted=False)]
    findings = await Examination(checks).examine(submission)
    assert [(each.name, each.result, each.detail) for each in findings.checks] == [
        ("one", CheckResult.PASSED, "Fine."),
        ("two", CheckResult.WARNED, "Careful. Slow."),
    ]
    assert findings.warnings == ("Careful.", "Slow.")
    assert findings.refusal is None


async def test_the_first_refusal_speaks_and_carries_the_faults_of_all(
    submission: Submission,
) -> None:
    faults = [Fault("a", "x", "A."), Fault("b", "y", "B.")]
    last = Told("four")
    checks = [
        Told("one", ManifestInvalidError("Two faults.", faults=faults)),
        Told("two", BundleUntrustedError("Who are you?", result="failed")),
        Told("three", ComponentInvalidError("No.", faults=[Fault("c", "z", "C.")])),
        last,
    ]
    findings = await Examination(checks).examine(submission)
    refusal = findings.refusal
    assert isinstance(refusal, ManifestInvalidError)
    assert refusal.message == "Two faults. (2 more checks failed.)"
    assert [(each.path, each.code) for each in refusal.faults] == [
        ("a", "x"), ("b", "y"), ("two", "bundle_untrusted"), ("c", "z"),
    ]  # fmt: skip
    assert [each.result for each in findings.checks] == [*[CheckResult.FAILED] * 3, "passed"]
    assert last.ran


async def test_what_the_first_refusal_says_for_programs_is_kept(submission: Submission) -> None:
    untrusted = BundleUntrustedError("Who are you?", result="not_signed")
    findings = await Examination([Told("one", untrusted)]).examine(submission)
    assert findings.refusal is not None
    assert findings.refusal.metadata == {"result": "not_signed"}
    assert findings.refusal.message == "Who are you?"


async def test_a_check_that_could_not_be_carried_out_is_no_refusal(submission: Submission) -> None:
    checks = [Told("one"), Told("two", CompilerUnavailableError())]
    with pytest.raises(CompilerUnavailableError):
        await Examination(checks).examine(submission)


async def test_details_and_faults_are_bounded(submission: Submission) -> None:
    many = [Fault(f"f{number}", "x", "X.") for number in range(500)]
    checks = [Told("one", ManifestInvalidError("x" * 5000, faults=many))]
    findings = await Examination(checks).examine(submission)
    assert findings.refusal is not None
    assert len(findings.refusal.faults) == 100
    assert len(findings.checks[0].detail) == 1000
