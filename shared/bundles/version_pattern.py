"""Versions such as `1.2.*`: the publisher leaves the choice of the patch to the registry.

The manifest and the signature say `1.2.*`; the version that comes of it is `1.2.` and the next
free number. A signature over `1.2.*` is therefore good for every `1.2.N` of the very bundle that
it names, and for nothing else.
"""

import re

_PATTERN = re.compile(r"(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.\*", re.ASCII)
_PATCH = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def is_version_pattern(text: str) -> bool:
    """Whether `text` is `X.Y.*`."""
    return _PATTERN.fullmatch(text) is not None


def patch_within(pattern: str, version: str) -> int | None:
    """The patch of `version` if it is a release that `pattern` covers, else None."""
    stem = pattern.removesuffix("*")
    patch = version.removeprefix(stem)
    return int(patch) if version.startswith(stem) and _PATCH.fullmatch(patch) else None


def signed_for(signed: str, version: str) -> bool:
    """Whether a signature whose statement says `signed` is one for `version`."""
    return signed == version or (
        is_version_pattern(signed) and patch_within(signed, version) is not None
    )
