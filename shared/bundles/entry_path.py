"""Which paths may stand in a bundle, and which may stand side by side.

The rule is narrower than any file system's, so that a bundle means the same on all of them: what
two systems could read differently (case, Unicode forms, dots and spaces at the end) is refused.
"""

import re

from shared.bundles.layout import BundleLimits
from shared.errors import BundleInvalidError

_SEGMENT = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_SHOWN = 80


def shown(path: bytes | str) -> str:
    """`path` as an error message may show it: printable ASCII, quoted, cut."""
    text = path.decode("latin-1") if isinstance(path, bytes) else path
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return ascii(cut)


def fault_of_path(path: str, limits: BundleLimits) -> str | None:
    """Why `path` may not name an entry, or None if it may. One reason, the most telling first."""
    segments = path.split("/")
    rules = (
        (not path, "its path is empty"),
        (path.startswith("/"), "its path is absolute"),
        (".." in segments, "its path climbs out of the bundle with '..'"),
        ("." in segments, "its path has a '.' segment; write it without './'"),
        ("" in segments, "its path has an empty segment"),
        (len(path) > limits.path_bytes, f"its path is longer than {limits.path_bytes} bytes"),
        (len(segments) > limits.path_depth, f"its path is deeper than {limits.path_depth}"),
        (
            not all(_SEGMENT.fullmatch(segment) for segment in segments),
            "its path has a character outside A-Z a-z 0-9 . _ - /",
        ),
        (any(segment.endswith(".") for segment in segments), "a path segment ends with a dot"),
    )
    return next((reason for broken, reason in rules if broken), None)


class PathSet:
    """The paths of one bundle so far; refuses one that collides with an earlier one.

    Two paths collide if they, or directories above them, differ only in case, if both name the
    same entry, or if one is a file where the other needs a directory.
    """

    def __init__(self, limits: BundleLimits) -> None:
        self._limits = limits
        self._spelling: dict[str, str] = {}
        self._files: set[str] = set()
        self._parents: set[str] = set()
        self._entries: set[str] = set()

    def add(self, path: str, *, is_directory: bool) -> None:
        """Takes one entry in.

        Raises:
            BundleInvalidError: the path is not allowed, or collides; the message names the entry.
        """
        fault = fault_of_path(path, self._limits) or self._collision(
            path, is_directory=is_directory
        )
        if fault:
            raise BundleInvalidError(f"Entry {shown(path)} is refused: {fault}.")
        self._entries.add(path)
        self._parents.update(_prefixes(path)[:-1])
        if not is_directory:
            self._files.add(path)

    def _collision(self, path: str, *, is_directory: bool) -> str | None:
        if path in self._entries:
            return "the path is there twice"
        for prefix in _prefixes(path):
            known = self._spelling.setdefault(prefix.lower(), prefix)
            if known != prefix:
                return f"it differs only in case from {shown(known)}"
            if prefix in self._files:
                return f"{shown(prefix)} is a file, not a directory"
        if not is_directory and path in self._parents:
            return "a file would replace a directory"
        return None


def _prefixes(path: str) -> list[str]:
    """`a/b/c` as `a`, `a/b`, `a/b/c`."""
    ends = [index for index, character in enumerate(path) if character == "/"]
    return [path[:end] for end in ends] + [path]
