"""Settings are read once, and all faults are told together without their values."""

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from shared.settings import Settings, SettingsInvalidError


class ExampleSettings(Settings):
    prefix = "EXAMPLE_"

    port: int = Field(gt=0, description="Where it listens.")
    trust: Path = Field(validation_alias="TRUST_BUNDLE", description="The PEM file.")
    name: str = "x"


def test_fields_are_read_from_prefixed_and_from_named_variables() -> None:
    settings = ExampleSettings.from_environment(
        {"EXAMPLE_PORT": "1", "TRUST_BUNDLE": "/t.pem", "OTHER": "ignored"}
    )
    assert (settings.port, settings.trust, settings.name) == (1, Path("/t.pem"), "x")


def test_an_empty_variable_counts_as_absent() -> None:
    settings = ExampleSettings.from_environment(
        {"EXAMPLE_PORT": "1", "TRUST_BUNDLE": "/t.pem", "EXAMPLE_NAME": ""}
    )
    assert settings.name == "x"


def test_all_faults_are_told_together_and_no_value_is_repeated() -> None:
    with pytest.raises(SettingsInvalidError) as caught:
        ExampleSettings.from_environment({"EXAMPLE_PORT": "-secret-"})
    message = str(caught.value)
    assert "EXAMPLE_PORT:" in message
    assert "TRUST_BUNDLE is not set. The PEM file." in message
    assert "secret" not in message


def test_settings_cannot_be_changed() -> None:
    settings = ExampleSettings.from_environment({"EXAMPLE_PORT": "1", "TRUST_BUNDLE": "/t"})
    with pytest.raises(ValidationError):
        settings.port = 2  # type: ignore[misc]
