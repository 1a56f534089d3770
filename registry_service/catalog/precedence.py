"""Which of several versions is the higher one (Semantic Versioning 2.0, section 11)."""

from collections.abc import Iterable

from semver import Version


def highest_first(versions: Iterable[str]) -> list[str]:
    """Sorts versions from high to low; those of equal precedence by their text."""
    return sorted(versions, key=lambda text: (Version.parse(text), text), reverse=True)


def latest_of(versions: Iterable[str]) -> str:
    """The highest version that is no pre-release; empty when there is none."""
    released = (text for text in versions if Version.parse(text).prerelease is None)
    return next(iter(highest_first(released)), "")
