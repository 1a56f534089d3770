"""Checks `size` and `archive`: the bytes are few enough, and read in one way only."""

from registry_service.catalog.bundles import Bundles
from registry_service.catalog.checks.check import Passed, Submission
from shared.bundles.layout import DEFAULT_LIMITS, BundleLimits
from shared.errors import BundleTooLargeError


class SizeCheck:
    """The packed size."""

    name = "size"

    def __init__(self, *, limits: BundleLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits

    def applies(self, submission: Submission) -> bool:
        """Always."""
        return bool(submission.packed)

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`."""
        size = len(submission.packed)
        if size > self._limits.packed_bytes:
            raise BundleTooLargeError(
                f"The bundle is larger than {self._limits.packed_bytes} bytes."
            )
        return Passed(f"{size} bytes of at most {self._limits.packed_bytes}.")


class ArchiveCheck:
    """The strict reading of the archive: paths, kinds of entries, unpacked size, nothing behind."""

    name = "archive"

    def __init__(self, *, bundles: Bundles) -> None:
        self._bundles = bundles

    def applies(self, submission: Submission) -> bool:
        """Unless the size was refused."""
        return bool(submission.packed)

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`."""
        submission.files = await self._bundles.read(submission.packed)
        size = sum(map(len, submission.files.values()))
        return Passed(f"{len(submission.files)} files, {size} bytes unpacked.")
