import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_service.installs.config import MAX_CONFIG_BYTES, canonical_config
from registry_service.installs.grants import granted_of, requested_of
from shared.capabilities import CAPABILITIES, DEFAULT_CAPABILITIES
from shared.errors import (
    ArgumentInvalidError,
    CapabilityNotRequestedError,
    ConfigInvalidError,
)
from shared.strict_json import JsonInvalidError, parse_json

names = st.sets(st.sampled_from(sorted(CAPABILITIES)))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@given(names, names)
def test_a_grant_is_never_more_than_was_asked_for(asked: set[str], listed: set[str]) -> None:
    requested = requested_of(asked)
    try:
        granted = granted_of(listed, requested)
    except CapabilityNotRequestedError as error:
        surplus = {fault.message.split()[0] for fault in error.faults}
        assert surplus == listed - requested != set()
    else:
        assert granted == listed | DEFAULT_CAPABILITIES <= requested


def test_a_grant_has_known_names_and_a_bounded_number_of_them() -> None:
    with pytest.raises(ArgumentInvalidError):
        granted_of(["cap:everything"], requested_of([]))
    with pytest.raises(ArgumentInvalidError):
        granted_of(["log.emit"] * 65, requested_of([]))


@given(st.dictionaries(st.text(), values))
def test_a_config_has_one_text_that_means_the_same(config: dict[str, object]) -> None:
    text = json.dumps(config)
    try:
        parse_json(text.encode(), max_bytes=MAX_CONFIG_BYTES)
    except JsonInvalidError:
        return
    canonical = canonical_config(text)
    assert json.loads(canonical) == config
    assert canonical_config(canonical) == canonical
    assert canonical_config(json.dumps(dict(reversed(config.items())), indent=2)) == canonical


@pytest.mark.parametrize("text", ["", "1", "[]", '"{}"', "{} x", '{"a":1,"a":1}', '{"a":Infinity}'])
def test_what_is_no_json_object_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigInvalidError):
        canonical_config(text)
    with pytest.raises(ConfigInvalidError) as told:
        canonical_config('{"password": "canary-5eb1", }')
    assert "canary" not in str(told.value)


def test_a_config_that_is_small_only_before_it_is_canonical_is_refused() -> None:
    numbers = ",".join(["1e9"] * 12_000)
    assert len(numbers) < MAX_CONFIG_BYTES
    with pytest.raises(ConfigInvalidError):
        canonical_config(f'{{"a":[{numbers}]}}')
