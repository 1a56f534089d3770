"""Which declared endpoint a request means.

A manifest's endpoints become one tree of segments for each method. The most specific endpoint wins,
segment by segment from the left: a literal before a `:param`, in whatever order they were declared.
A walk visits no node twice and looks at no character twice: there is nothing to make slow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.errors import EndpointNotFoundError, MethodNotAllowedError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route as the manifest declares it."""

    method: str
    path: str
    """Starts with "/"; a segment ":name" stands for any one segment."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    param: "_Node | None" = None
    endpoint: Endpoint | None = None

    def add(self, endpoint: Endpoint) -> None:
        node = self
        for segment in _segments(endpoint.path):
            if segment.startswith(":"):
                node.param = node.param or _Node()
                node = node.param
            else:
                node = node.literals.setdefault(segment, _Node())
        node.endpoint = node.endpoint or endpoint

    def find(self, segments: Sequence[str], at: int = 0) -> Endpoint | None:
        if at == len(segments):
            return self.endpoint
        literal = self.literals.get(segments[at])
        found = literal.find(segments, at + 1) if literal else None
        if found is None and self.param is not None:
            return self.param.find(segments, at + 1)
        return found


class EndpointMatcher:
    """The endpoints of one version, compiled."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_method: dict[str, _Node] = {}
        for endpoint in endpoints:
            self._by_method.setdefault(endpoint.method, _Node()).add(endpoint)

    def match(self, method: str, path: str) -> Endpoint:
        """The endpoint that serves `method` on `path`; HEAD is served by GET unless declared.

        Args:
            method: upper case.
            path: as `normalize_path` gives it.

        Raises:
            EndpointNotFoundError: no endpoint has this path.
            MethodNotAllowedError: some have, with other methods; `allow` in its metadata.
        """
        segments = _segments(path)
        found = self._find(method, segments)
        if found is None and method == "HEAD":
            found = self._find("GET", segments)
        if found is not None:
            return found
        declared = {name for name, tree in self._by_method.items() if tree.find(segments)}
        if not declared:
            raise EndpointNotFoundError
        if "GET" in declared:
            declared.add("HEAD")
        allow = ", ".join(sorted(declared))
        raise MethodNotAllowedError(f"This path is declared with {allow} only.", allow=allow)

    def _find(self, method: str, segments: Sequence[str]) -> Endpoint | None:
        tree = self._by_method.get(method)
        return tree.find(segments) if tree else None


def _segments(path: str) -> list[str]:
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []
