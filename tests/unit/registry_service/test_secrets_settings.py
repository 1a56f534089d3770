"""Settings of what seals secrets: whole, and never a secret in the clear over a network."""

from pathlib import Path

import pytest

from registry_service.secrets_settings import SecretsSettings
from shared.settings import SettingsInvalidError

VAULT = {
    "REGISTRY_VAULT_ADDRESS": "https://vault.example.com:8200",
    "REGISTRY_VAULT_KEY": "extensions",
    "REGISTRY_VAULT_TOKEN_FILE": "/run/token",
}


def test_nothing_has_to_be_set() -> None:
    settings = SecretsSettings.from_environment({})
    assert settings.secrets_keyring_file is None
    assert settings.vault() is None


def test_a_vault_is_named_by_three_settings_and_may_have_more() -> None:
    key = SecretsSettings.from_environment(VAULT).vault()
    assert key is not None
    assert (key.address, key.mount, key.key) == (
        "https://vault.example.com:8200", "transit", "extensions",
    )  # fmt: skip
    more = {"REGISTRY_VAULT_MOUNT": "team/transit", "REGISTRY_VAULT_NAMESPACE": "admin/apps",
            "REGISTRY_VAULT_CA_FILE": "/etc/ca.pem"}  # fmt: skip
    key = SecretsSettings.from_environment({**VAULT, **more}).vault()
    assert key is not None
    assert (key.mount, key.namespace, key.ca_file) == (
        "team/transit", "admin/apps", Path("/etc/ca.pem"),
    )  # fmt: skip


@pytest.mark.parametrize("missing", ["REGISTRY_VAULT_KEY", "REGISTRY_VAULT_TOKEN_FILE"])
def test_half_a_vault_is_refused(missing: str) -> None:
    given = {name: value for name, value in VAULT.items() if name != missing}
    with pytest.raises(SettingsInvalidError, match=missing):
        SecretsSettings.from_environment(given)


@pytest.mark.parametrize(
    ("address", "is_good"),
    [
        ("http://127.0.0.1:8200", True),
        ("http://localhost:8200", True),
        ("http://[::1]:8200", True),
        ("http://vault.example.com:8200", False),
        ("http://127.0.0.1.example.com", False),
        ("https://user:password@vault.example.com", False),
        ("https://vault.example.com/path", False),
        ("https://vault.example.com?x", False),
        ("vault.example.com", False),
        ("ftp://vault.example.com", False),
    ],
)
def test_secrets_leave_the_machine_by_https_only(address: str, *, is_good: bool) -> None:
    given = {**VAULT, "REGISTRY_VAULT_ADDRESS": address}
    if is_good:
        assert SecretsSettings.from_environment(given).vault_address == address
        return
    with pytest.raises(SettingsInvalidError, match="REGISTRY_VAULT_ADDRESS") as told:
        SecretsSettings.from_environment(given)
    assert "password@" not in str(told.value)


@pytest.mark.parametrize("name", ["REGISTRY_VAULT_MOUNT", "REGISTRY_VAULT_KEY"])
@pytest.mark.parametrize("value", ["..", "../sys", "a//b", "a?b", "a#b", "a b", "/a", "a/", "é"])
def test_a_path_of_the_vault_leads_nowhere_else(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalidError, match=name):
        SecretsSettings.from_environment({**VAULT, name: value})
