"""Every watcher hears everything, or is told to start afresh; none is waited for."""

import asyncio
from uuid import uuid4

import pytest

from registry_service.installs.change_feed import ChangeFeed
from registry_service.postgres.change_listener import change_of
from shared.identifiers import ContentHash, InstallId, RegistryId, TenantId, VersionId
from shared.install_changes import InstallChange, Resync, VersionChange


def change(revision: int) -> InstallChange:
    return InstallChange(TenantId(uuid4()), InstallId(uuid4()), RegistryId(uuid4()), revision)


async def test_a_watcher_starts_with_a_resync_and_hears_all_in_order() -> None:
    feed = ChangeFeed()
    feed.tell(change(1))
    told = [change(number) for number in range(5)]
    with feed.watching() as one, feed.watching() as other:
        for each in told:
            feed.tell(each)
        for watcher in (one, other):
            assert [await watcher.next(1) for _ in range(6)] == [Resync(), *told]
            assert await watcher.next(0.01) is None


async def test_one_who_waits_is_woken() -> None:
    feed = ChangeFeed()
    with feed.watching() as watcher:
        await watcher.next(1)
        waiting = asyncio.create_task(watcher.next(5))
        await asyncio.sleep(0)
        feed.tell(news := change(1))
        assert await waiting == news


async def test_one_who_is_too_far_behind_starts_afresh_and_holds_up_nobody() -> None:
    feed = ChangeFeed(max_waiting=3)
    with feed.watching() as slow, feed.watching() as quick:
        for number in range(10):
            assert await quick.next(1) is not None
            feed.tell(change(number))
        last = await quick.next(1)
        assert isinstance(last, InstallChange)
        assert last.revision == 9
        heard = []
        while (each := await slow.next(0.01)) is not None:
            heard.append(each)
        assert heard[0] == Resync()
        assert len(heard) <= 3


async def test_a_resync_makes_void_what_was_waiting() -> None:
    feed = ChangeFeed()
    with feed.watching() as watcher:
        feed.tell(change(1))
        feed.tell(Resync())
        feed.tell(news := change(2))
        assert [await watcher.next(1), await watcher.next(1)] == [Resync(), news]


async def test_when_the_feed_closes_everybody_ends() -> None:
    feed = ChangeFeed()
    with feed.watching() as watcher:
        await watcher.next(1)
        waiting = asyncio.create_task(watcher.next(30))
        await asyncio.sleep(0)
        feed.close()
        assert await waiting is None
        assert watcher.has_ended
    with feed.watching() as late:
        assert await late.next(30) is None
        assert late.has_ended


def test_notifications_are_read_strictly() -> None:
    ids = [uuid4() for _ in range(3)]
    text = (
        f'{{"tenant_id":"{ids[0]}","install_id":"{ids[1]}","registry_id":"{ids[2]}","revision":7}}'
    )
    assert change_of(text) == InstallChange(
        TenantId(ids[0]), InstallId(ids[1]), RegistryId(ids[2]), 7
    )
    content_hash = ContentHash(f"sha256:{'a' * 64}")
    text = f'{{"version_id":"{ids[0]}","content_hash":"{content_hash}","quarantined":true}}'
    assert change_of(text) == VersionChange(VersionId(ids[0]), content_hash, quarantined=True)


@pytest.mark.parametrize(
    "payload",
    [
        "", "[]", "{}", "null", "{", '{"version_id":"x"}', '{"tenant_id":1,"install_id":2}',
        f'{{"tenant_id":"{uuid4()}","install_id":"{uuid4()}","registry_id":"{uuid4()}","revision":true}}',
        f'{{"tenant_id":"{uuid4()}","install_id":"{uuid4()}","registry_id":"{uuid4()}","revision":"1"}}',
        f'{{"version_id":"{uuid4()}","content_hash":"sha1:0","quarantined":true}}', "x" * 9000,
    ],
)  # fmt: skip
def test_a_notification_that_is_none_is_refused(payload: str) -> None:
    with pytest.raises(ValueError, match="no change"):
        change_of(payload)
