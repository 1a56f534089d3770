"""A gateway's settings: required ones, bounds, and every fault at once."""

import pytest

from gateway_shim.settings import GatewaySettings
from shared.settings import SettingsInvalidError

GOOD = {
    "GATEWAY_REGISTRY_TARGET": "127.0.0.1:7401",
    "GATEWAY_RUNNER_TARGET": "ipv4:127.0.0.1:1,127.0.0.1:2",
    "GATEWAY_SERVICE_KEY_FILE": "key.pem",
    "GATEWAY_JWKS": "https://issuer.test/jwks.json",
    "GATEWAY_TOKEN_ISSUER": "https://issuer.test",
    "GATEWAY_TOKEN_AUDIENCE": "extensions",
}


def test_the_defaults_are_safe() -> None:
    settings = GatewaySettings.from_environment(GOOD)
    assert settings.address == ("127.0.0.1", 8080)
    assert settings.max_body_bytes == 10 * 1024 * 1024
    assert settings.leeway_seconds <= 30


def test_all_that_is_missing_is_told_together() -> None:
    with pytest.raises(SettingsInvalidError) as caught:
        GatewaySettings.from_environment({})
    for variable in GOOD:
        assert f"{variable} is not set." in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GATEWAY_LISTEN", "8080"),
        ("GATEWAY_LISTEN", "127.0.0.1:99999"),
        ("GATEWAY_LISTEN", "a b:1"),
        ("GATEWAY_LEEWAY_SECONDS", "31"),
        ("GATEWAY_RESOLVE_CACHE_MS", "30001"),
        ("GATEWAY_MAX_BODY_BYTES", "-1"),
        ("GATEWAY_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_setting_out_of_bounds_is_named_but_not_repeated(variable: str, value: str) -> None:
    with pytest.raises(SettingsInvalidError) as caught:
        GatewaySettings.from_environment({**GOOD, variable: value})
    assert str(caught.value).startswith(f"{variable}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_an_ipv6_address_is_understood() -> None:
    settings = GatewaySettings.from_environment({**GOOD, "GATEWAY_LISTEN": "[::1]:0"})
    assert settings.address == ("::1", 0)


def test_every_setting_is_described() -> None:
    assert all(info.description for info in GatewaySettings.model_fields.values())
