"""Check `name`: people should not take this extension for another publisher's."""

from typing import Final

from registry_service.catalog.checks.check import Passed, Submission
from registry_service.catalog.publish_records import PublishRecords

_MAX_TOLD: Final = 5


class NameCheck:
    """Warns of a name that is one slip away from another publisher's, or that looks like it."""

    name = "name"

    def __init__(self, *, records: PublishRecords) -> None:
        self._records = records

    def applies(self, submission: Submission) -> bool:
        """Once the manifest is known to be the entry's."""
        return submission.manifest is not None

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`."""
        entry = submission.entry
        alike = await self._records.similar_names(entry.publisher, entry.name)
        told = [
            f"{entry.publisher}.{entry.name} is easily taken for {other.publisher}.{other.name}."
            for other in alike
            if other.looks_alike or within_one_slip(entry.publisher, other.publisher)
        ]
        return Passed("No other publisher has a name like it.", tuple(told[:_MAX_TOLD]))


def within_one_slip(one: str, other: str) -> bool:
    """Whether one text becomes the other by adding, dropping, replacing or swapping at most one.

    This is a Damerau-Levenshtein distance of at most 1, in one pass.
    """
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), None)
    if start is None:
        return True
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = long[start + 1 : start + 2] + long[start]
    return short[start + 1 :] == long[start + 1 :] or (
        short[start : start + 2] == swapped and short[start + 2 :] == long[start + 2 :]
    )
