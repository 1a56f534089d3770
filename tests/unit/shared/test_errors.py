"""The error table holds what `docs/errors.md` promises of it."""

import re

import pytest

from shared.errors import Code, ExtensionError, Fault, InstallNotFoundError

ROWS = list(ExtensionError.table().values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_every_row_has_a_stable_reason_and_a_title_for_people(row: type[ExtensionError]) -> None:
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", row.reason)
    assert row.title().endswith(".")
    assert 400 <= row.http_status <= 599
    assert row.code in Code


def test_the_reason_is_derived_from_the_name() -> None:
    assert InstallNotFoundError.reason == "INSTALL_NOT_FOUND"


def test_two_errors_cannot_share_a_reason() -> None:
    with pytest.raises(TypeError, match="INSTALL_NOT_FOUND"):
        type("InstallNotFoundError", (ExtensionError,), {}, code=Code.NOT_FOUND, http=404)


def test_an_error_without_a_message_tells_its_title() -> None:
    assert InstallNotFoundError().message == InstallNotFoundError.title()


def test_an_error_carries_faults_delay_and_metadata() -> None:
    fault = Fault("a[0].b", "missing", "b is missing", "add b")
    error = InstallNotFoundError("No.", faults=[fault], retry_after_ms=5, extension="acme.x")
    assert (error.message, error.faults, error.retry_after_ms, error.metadata) == (
        "No.",
        (fault,),
        5,
        {"extension": "acme.x"},
    )
