"""What a rule may allow: names of one owner, on the public internet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.egress_rules import (
    MAX_RULES,
    PLATFORM_DENY,
    EgressPolicy,
    EgressRule,
    parse_deny_pattern,
)
from shared.errors import EgressRuleInvalidError

POLICY = EgressPolicy()


def rule(
    host: str, *, scheme: str = "https", port: int = 0, methods: tuple[str, ...] = ()
) -> EgressRule:
    return EgressRule(scheme, host, port, methods)


def codes(*rules: EgressRule, policy: EgressPolicy = POLICY) -> list[tuple[str, str]]:
    with pytest.raises(EgressRuleInvalidError) as told:
        policy.parse(rules)
    return [(fault.path, fault.code) for fault in told.value.faults]


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com", "example.com", "*.example.com", "*.api.example.co.uk", "example.co.uk",
        "xn--bcher-kva.example", "a-b.c1.example.org", "me.github.io", "*.me.github.io",
        "1password.com", "0x7f.example.com",
    ],
)  # fmt: skip
def test_a_name_below_what_one_owner_has_is_allowed(host: str) -> None:
    assert POLICY.parse([rule(host)]) == (rule(host),)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.0.0.1", "8.8.8.8", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1",
        "127.1", "1.2.3.0x4", "::1", "[::1]", "[::ffff:127.0.0.1]", "fe80::1%eth0",
        "example.com:80", "127.0.0.1.", "0X7F.1", "foo.0x", "*.1", "*.0.0.1",
    ],
)  # fmt: skip
def test_an_address_is_refused_in_every_spelling(host: str) -> None:
    assert codes(rule(host))[0][1] in {"host_is_address", "host"}
    if "." in host.rstrip(".") and not host.endswith("."):
        assert codes(rule(host))[0][1] == "host_is_address"


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "..", "a..b", ".example.com", "example.com.", "-a.example.com", "a-.example.com",
        "exa mple.com", "exam_ple.com", "example.com/path", "user@example.com", "example.com#x",
        "exa\tmple.com", "example.com\n", "example.com\0", "*.*.example.com", "a.*.example.com",
        "*example.com", f"{'a' * 64}.com", ".".join(["a" * 60] * 5), "%65xample.com",
    ],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(host: str) -> None:
    assert codes(rule(host)) == [("egress_rules[0].host", "host")]


@pytest.mark.parametrize(
    "host", ["bücher.example", "\u0435xample.com", "example\u3002com", "\u212aey.example"]
)
def test_a_host_is_ascii(host: str) -> None:
    assert codes(rule(host)) == [("egress_rules[0].host", "host_not_ascii")]


@pytest.mark.parametrize(
    "host",
    [
        "*", "*.com", "com", "metadata", "intranet-host", "*.co.uk", "*.com.au", "*.github.io",
        "*.amazonaws.com", "*.S3.amazonaws.com", "*.workers.dev",
    ],
)  # fmt: skip
def test_a_rule_for_hosts_of_many_owners_is_refused(host: str) -> None:
    assert codes(rule(host))[0] in {
        ("egress_rules[0].host", "host_too_wide"), ("egress_rules[0].host", "host"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "host",
    [
        "db.internal", "metadata.google.internal", "METADATA.Google.Internal", "x.localhost",
        "kubernetes.default.svc", "printer.local", "1.0.0.127.in-addr.arpa", "x.y.onion",
        "*.google.internal", "metadata.goog", "*.metadata.goog",
    ],
)  # fmt: skip
def test_what_the_platform_denies_cannot_be_allowed(host: str) -> None:
    assert codes(rule(host)) == [("egress_rules[0].host", "host_denied")]


def test_an_operator_denies_more_and_a_wildcard_cannot_reach_around_it() -> None:
    policy = EgressPolicy(deny=["db.example.com", "*.corp.example.net"])
    for host in (
        "db.example.com", "*.example.com", "a.corp.example.net", "*.corp.example.net",
        "*.a.corp.example.net", "*.example.net",
    ):  # fmt: skip
        assert codes(rule(host), policy=policy) == [("egress_rules[0].host", "host_denied")], host
    for host in ("api.example.com", "corp.example.net", "xdb.example.com", "acorp.example.net"):
        assert policy.parse([rule(host)])


def test_http_needs_the_operators_word() -> None:
    assert codes(rule("example.com", scheme="http")) == [("egress_rules[0].scheme", "http_denied")]
    allowed = EgressPolicy(allow_http=True).parse([rule("example.com", scheme="http", port=80)])
    assert allowed == (rule("example.com", scheme="http"),)
    for scheme in ("", "HTTPS", "ftp", "file", "https:"):
        assert codes(rule("example.com", scheme=scheme)) == [("egress_rules[0].scheme", "scheme")]


def test_every_fault_is_told_with_the_index_of_its_rule() -> None:
    assert codes(
        rule("example.com"), rule("127.0.0.1", port=70_000),
        rule("example.com", methods=("GET", "TRACE")),
        rule("example.com", methods=("CONNECT",)), rule("example.com", methods=("PO\u017fT",)),
    ) == [
        ("egress_rules[1].host", "host_is_address"), ("egress_rules[1].port", "port"),
        ("egress_rules[2].methods", "method"), ("egress_rules[3].methods", "method"),
        ("egress_rules[4].methods", "method"),
    ]  # fmt: skip
    with pytest.raises(EgressRuleInvalidError, match=str(MAX_RULES)):
        POLICY.parse([rule("example.com")] * (MAX_RULES + 1))


def test_equal_rules_are_one_rule_whatever_their_order_and_spelling() -> None:
    one = rule("api.example.com", methods=("GET", "POST"))
    same = rule("API.Example.COM", port=443, methods=("post", "GET", "get"))
    other = rule("api.example.com", port=8443)
    assert POLICY.parse([one, same, other]) == POLICY.parse([other, same]) == (one, other)


hosts = st.lists(st.text("abAB019-*.", min_size=1, max_size=8), min_size=1, max_size=4).map(
    ".".join
)


@given(hosts, st.integers(0, 70_000), st.lists(st.sampled_from(["get", "POST", "HEAD"])))
def test_a_canonical_rule_stays_as_it_is(host: str, port: int, methods: list[str]) -> None:
    try:
        parsed = POLICY.parse([rule(host, port=port, methods=tuple(methods))])
    except EgressRuleInvalidError:
        return
    assert POLICY.parse(parsed) == parsed
    assert POLICY.still_allowed(parsed) == parsed
    assert not parsed[0].host.rpartition(".")[2].isdigit()


def test_what_is_denied_by_now_is_not_still_allowed() -> None:
    parsed = POLICY.parse([rule("api.example.com"), rule("other.example.org")])
    stricter = EgressPolicy(deny=["api.example.com"])
    assert stricter.still_allowed(parsed) == (rule("other.example.org"),)


def test_deny_patterns_are_read_strictly() -> None:
    assert [parse_deny_pattern(text) for text in (" DB.Example.com", "*.x", "x")] == [
        "db.example.com", "*.x", "x",
    ]  # fmt: skip
    for text in ("", "*", "a b", "http://x", "*.*.x", "x/", "."):
        with pytest.raises(ValueError, match="no host"):
            parse_deny_pattern(text)
    for pattern in PLATFORM_DENY:
        assert parse_deny_pattern(pattern) == pattern
