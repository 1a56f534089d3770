"""Egress rules: which hosts an install may call, and which no install ever may.

A rule names hosts, never addresses: what a name resolves to is judged again when a call is made. A
rule is read strictly and kept in one canonical form, so that equal rules are equal values. Without
any rule nothing is allowed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import EgressRuleInvalidError, Fault
from shared.public_suffixes import is_public_suffix

MAX_RULES: Final = 100
MAX_PORT: Final = 65_535
METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
PLATFORM_DENY: Final = (
    "localhost", "*.localhost", "*.local", "*.localdomain", "*.internal", "*.intranet", "*.lan",
    "*.corp", "*.home", "*.svc", "*.arpa", "*.onion", "*.test", "*.invalid",
    "metadata.goog", "*.metadata.goog",
)  # fmt: skip
"""Names that mean something inside a network, or nothing at all; never reachable for a guest."""

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_MAX_HOST: Final = 253
_SHOWN: Final = 80
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class EgressRule:
    """One thing that may be called, in canonical form.

    `host` is lower case, or `*.` and a suffix for any name below it; `port` 0 is the scheme's own;
    `methods` are upper case and sorted, and none means any.
    """

    scheme: str
    host: str
    port: int = 0
    methods: tuple[str, ...] = ()


class EgressPolicy:
    """What the platform lets a rule allow at most."""

    def __init__(self, *, allow_http: bool = False, deny: Iterable[str] = ()) -> None:
        """Takes patterns as `parse_deny_pattern` gives them, besides PLATFORM_DENY."""
        self._allow_http = allow_http
        self._deny = (*PLATFORM_DENY, *deny)

    def parse(self, rules: Sequence[EgressRule]) -> tuple[EgressRule, ...]:
        """The rules in canonical form: each once, sorted.

        Raises:
            EgressRuleInvalidError: with a fault for each rule that cannot be allowed.
        """
        if len(rules) > MAX_RULES:
            raise EgressRuleInvalidError(f"An install has at most {MAX_RULES} egress rules.")
        faults: list[Fault] = []
        parsed: set[EgressRule] = set()
        for index, rule in enumerate(rules):
            found = list(self._faults(rule, f"egress_rules[{index}]"))
            faults += found
            if not found:
                parsed.add(_canonical(rule))
        if faults:
            raise EgressRuleInvalidError(
                f"{faults[0].path}: {faults[0].message}", faults=faults[:MAX_RULES]
            )
        return tuple(sorted(parsed))

    def still_allowed(self, rules: Iterable[EgressRule]) -> tuple[EgressRule, ...]:
        """Those of canonical rules that this policy allows: it may be stricter than it was."""
        return tuple(rule for rule in rules if not list(self._faults(rule, "")))

    def _faults(self, rule: EgressRule, path: str) -> Iterable[Fault]:
        if rule.scheme not in _DEFAULT_PORTS:
            yield Fault(f"{path}.scheme", "scheme", 'The scheme is not "https".', 'Use "https".')
        elif rule.scheme == "http" and not self._allow_http:
            yield Fault(
                f"{path}.scheme",
                "http_denied",
                "This platform does not allow unencrypted calls.",
                'Use "https", or ask the operator for REGISTRY_ALLOW_HTTP_EGRESS.',
            )
        host_fault = _fault_of_host(rule.host) or self._denial(rule.host)
        if host_fault:
            yield Fault(f"{path}.host", *host_fault)
        if not 0 <= rule.port <= MAX_PORT:
            yield Fault(f"{path}.port", "port", f"A port is 1 to {MAX_PORT}, or 0 for the default.")
        if unknown := [each for each in rule.methods if not _is_method(each)]:
            yield Fault(
                f"{path}.methods",
                "method",
                f"{_shown(unknown[0])} is no method that can be allowed.",
                f"Use {', '.join(METHODS)}, or none for any.",
            )

    def _denial(self, host: str) -> tuple[str, str, str] | None:
        denied = next((each for each in self._deny if _overlap(host.lower(), each)), None)
        if denied is None:
            return None
        return (
            "host_denied",
            f"The platform denies {_shown(denied)}, which {_shown(host)} would reach.",
            "Name hosts of the public internet, each as narrowly as it is needed.",
        )


def parse_deny_pattern(text: str) -> str:
    """A host that no rule may reach: `host`, or `*.suffix` for every name below it.

    Raises:
        ValueError: it is neither.
    """
    pattern = text.strip().lower()
    if not _are_labels(pattern.removeprefix("*.").split(".")):
        raise ValueError(f"{_shown(text)} is no host such as db.example.com or *.example.com")
    return pattern


def _canonical(rule: EgressRule) -> EgressRule:
    port = 0 if rule.port == _DEFAULT_PORTS[rule.scheme] else rule.port
    methods = tuple(sorted({name.upper() for name in rule.methods}))
    return EgressRule(rule.scheme, rule.host.lower(), port, methods)


def _fault_of_host(host: str) -> tuple[str, str, str] | None:
    """Code, message and hint of what is wrong with a host, or None."""
    example = 'Write it as "api.example.com" or "*.example.com".'
    if not host or len(host) > _MAX_HOST:
        return "host", f"A host is 1 to {_MAX_HOST} characters.", example
    if not host.isascii():
        return "host_not_ascii", "The host is not ASCII.", 'Write it in its "xn--" form.'
    suffix = host.lower().removeprefix("*.")
    labels = suffix.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]) or ":" in host:
        return (
            "host_is_address",
            "Addresses cannot be allowed, in no spelling; names can.",
            example,
        )
    if not _are_labels(labels):
        return (
            "host",
            f"{_shown(host)} is no host name.",
            example,
        )
    if len(labels) == 1 or (suffix != host.lower() and is_public_suffix(suffix)):
        return (
            "host_too_wide",
            f"{_shown(host)} would reach hosts of many owners, or of a private network.",
            "Name a host below a domain that one owner has.",
        )
    return None


def _are_labels(labels: Sequence[str]) -> bool:
    return all(_LABEL.fullmatch(label) for label in labels)


def _is_method(name: str) -> bool:
    return name.isascii() and name.upper() in METHODS


def _overlap(host: str, denied: str) -> bool:
    """Whether a rule for `host` would reach something that `denied` names."""
    if host.startswith("*.") and denied.startswith("*."):
        return host[1:].endswith(denied[1:]) or denied[1:].endswith(host[1:])
    if host.startswith("*."):
        return denied.endswith(host[1:])
    if denied.startswith("*."):
        return host.endswith(denied[1:])
    return host == denied


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
