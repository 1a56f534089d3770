"""A grant is void once its install changed or its version was stopped; and only then."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from runner_service.revocations import Revocations
from shared.clock import ManualClock
from shared.errors import InvocationGrantRevokedError
from shared.identifiers import ContentHash, InstallId, RegistryId, TenantId, VersionId
from shared.install_changes import InstallChange, Resync, VersionChange
from shared.tokens.invocation_grant import GRANT_LIFETIME, LEEWAY
from tests.fixtures.invocations import grant_of

GRANT = replace(grant_of(), revision=3)
HASH = ContentHash(f"sha256:{'0' * 64}")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def revocations(clock: ManualClock) -> Revocations:
    return Revocations(clock=clock)


def changed(revision: int, install_id: UUID = GRANT.install_id) -> InstallChange:
    return InstallChange(
        TenantId(UUID(int=1)), InstallId(install_id), RegistryId(UUID(int=3)), revision
    )


def quarantined(version_id: UUID = GRANT.version_id, *, stopped: bool = True) -> VersionChange:
    return VersionChange(VersionId(version_id), HASH, stopped)


def test_a_grant_of_an_earlier_revision_is_void(revocations: Revocations) -> None:
    revocations.require_valid(GRANT)
    revocations.note(changed(3))
    revocations.require_valid(GRANT)
    revocations.note(changed(4))
    with pytest.raises(InvocationGrantRevokedError):
        revocations.require_valid(GRANT)
    revocations.require_valid(replace(GRANT, revision=4))


def test_news_that_come_late_take_nothing_back(revocations: Revocations) -> None:
    revocations.note(changed(4))
    revocations.note(changed(2))
    revocations.note(Resync())
    with pytest.raises(InvocationGrantRevokedError):
        revocations.require_valid(GRANT)


def test_a_change_of_another_install_is_nothing_to_this_one(revocations: Revocations) -> None:
    revocations.note(changed(9, uuid4()))
    revocations.note(quarantined(uuid4()))
    revocations.require_valid(GRANT)


def test_a_quarantined_version_is_refused_until_it_is_freed(revocations: Revocations) -> None:
    revocations.note(quarantined())
    revocations.note(Resync())
    with pytest.raises(InvocationGrantRevokedError):
        revocations.require_valid(GRANT)
    revocations.note(quarantined(stopped=False))
    revocations.require_valid(GRANT)


def test_what_was_heard_is_remembered_for_as_long_as_old_grants_live(
    revocations: Revocations, clock: ManualClock
) -> None:
    revocations.note(changed(4))
    revocations.note(quarantined())
    clock.advance((GRANT_LIFETIME + LEEWAY).total_seconds())
    with pytest.raises(InvocationGrantRevokedError):
        revocations.require_valid(GRANT)
    clock.advance(LEEWAY.total_seconds())
    revocations.require_valid(GRANT)


def test_memory_is_bounded(clock: ManualClock) -> None:
    revocations = Revocations(clock=clock, max_remembered=10)
    for _ in range(100):
        revocations.note(changed(1, uuid4()))
        revocations.note(quarantined(uuid4()))
    assert len(revocations._revisions) == len(revocations._quarantined) == 10
    clock.advance(60)
    revocations.note(changed(4))
    assert len(revocations._revisions) == 1
