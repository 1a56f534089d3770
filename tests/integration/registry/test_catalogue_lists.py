"""Listing the catalogue and the audit log: filters, pages, and tokens that fit no other list."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from shared.errors import ArgumentInvalidError, PageTokenInvalidError
from shared.pb.registry.v1 import registry_entry_pb2
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.tokens.publisher_proof import PublisherAction
from tests.fixtures.catalogue import Tool
from tests.fixtures.registry import RegistryUnderTest, new_signing_key

STATUS = registry_entry_pb2.ExtensionVersion


async def search(registry: RegistryUnderTest, **wanted: Any) -> list[str]:
    """All entries that fit, page by page."""
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListRegistryEntriesRequest(page_token=token, **wanted)
        answer = await registry.call(registry.catalogue.ListRegistryEntries, request)
        found += [f"{entry.publisher}.{entry.name}" for entry in answer.entries]
        token = answer.next_page_token
        if not token:
            return found


async def audit(registry: RegistryUnderTest, about: str, page_size: int = 0) -> list[Any]:
    """All events that fit, page by page."""
    found: list[Any] = []
    token = ""
    while True:
        request = pb.ListAuditEventsRequest(about=about, page_token=token, page_size=page_size)
        answer = await registry.call(registry.catalogue.ListAuditEvents, request)
        found += answer.events
        token = answer.next_page_token
        if not token:
            return found


@pytest.fixture
async def word(registry: RegistryUnderTest) -> str:
    """Four extensions of acme's, which share a word in their names: a, b and c, and d."""
    word = f"w{uuid4().hex}"
    await asyncio.gather(
        registry.publish(name=f"{word}-a", capabilities=["cap:http.fetch"]),
        registry.publish(name=f"{word}-b", capabilities=["cap:storage.kv", "cap:http.fetch"]),
        registry.publish(name=f"{word}-c", capabilities=None),
    )
    entry = pb.CreateRegistryEntryRequest(publisher="acme", name=f"{word}-d")
    await registry.call(registry.catalogue.CreateRegistryEntry, entry)
    return word


def named(word: str, letters: str) -> list[str]:
    return [f"acme.{word}-{letter}" for letter in letters]


async def test_entries_are_found_by_what_their_latest_version_asks_for(
    registry: RegistryUnderTest, word: str
) -> None:
    for capability, letters in (
        ("cap:http.fetch", "ab"),
        (" HTTP.fetch", "ab"),
        ("storage.kv", "b"),
        ("secrets.get", ""),
        ("", "abcd"),
    ):
        found = await search(registry, text=word, capability=capability)
        assert found == named(word, letters), capability
    await registry.publish(name=f"{word}-a", version="2.0.0", capabilities=None)
    assert await search(registry, text=word, capability="http.fetch") == named(word, "b")


async def test_entries_are_found_by_runtime_publisher_and_text(
    registry: RegistryUnderTest, word: str
) -> None:
    assert await search(registry, text=word, runtime="wasm-js@1") == named(word, "abc")
    assert await search(registry, text=word, runtime="wasm-js@2") == []
    assert await search(registry, text=word.upper(), publisher="acme") == named(word, "abcd")
    assert await search(registry, text=word, publisher="acm") == []
    assert await search(registry, text=f"{word}-a%") == []  # a text, and no pattern


async def test_entries_are_found_by_the_status_of_their_versions(
    registry: RegistryUnderTest, word: str
) -> None:
    async def take_back(method: str, letter: str) -> None:
        request = getattr(pb, f"{method}Request")(
            extension=f"acme.{word}-{letter}", version="1.0.0", reason="because"
        )
        await registry.call(getattr(registry.catalogue, method), request)

    await take_back("Deprecate", "a")
    await take_back("Yank", "b")
    await take_back("Quarantine", "c")
    for status, letters in (
        (STATUS.STATUS_PUBLISHED, "a"),
        (STATUS.STATUS_YANKED, "b"),
        (STATUS.STATUS_QUARANTINED, "c"),
        (STATUS.STATUS_UNSPECIFIED, "abcd"),
    ):
        assert await search(registry, text=word, status=status) == named(word, letters), status


async def test_pages_join_without_a_gap_while_entries_are_added(
    registry: RegistryUnderTest, word: str
) -> None:
    assert await search(registry, text=word, page_size=1) == named(word, "abcd")
    request = pb.ListRegistryEntriesRequest(text=word, page_size=2)
    first = await registry.call(registry.catalogue.ListRegistryEntries, request)
    await registry.publish(name=f"{word}-0")  # before the place where the page ended
    await registry.publish(name=f"{word}-e")
    rest = pb.ListRegistryEntriesRequest(text=word, page_token=first.next_page_token)
    second = await registry.call(registry.catalogue.ListRegistryEntries, rest)
    names = [f"acme.{entry.name}" for entry in [*first.entries, *second.entries]]
    assert names == named(word, "abcde")


@pytest.mark.parametrize(
    "changed",
    [
        {"text": ""},
        {"publisher": "acme"},
        {"runtime": "wasm-js@1"},
        {"capability": "http.fetch"},
        {"status": STATUS.STATUS_YANKED},
    ],
    ids=str,
)
async def test_a_page_token_fits_the_filters_it_came_from_and_no_others(
    registry: RegistryUnderTest, word: str, changed: dict[str, Any]
) -> None:
    request = pb.ListRegistryEntriesRequest(text=word, page_size=1)
    token = (await registry.call(registry.catalogue.ListRegistryEntries, request)).next_page_token
    fields = {"text": word, "page_token": token, **changed}
    with pytest.raises(PageTokenInvalidError):
        await registry.call(
            registry.catalogue.ListRegistryEntries, pb.ListRegistryEntriesRequest(**fields)
        )
    with pytest.raises(PageTokenInvalidError):  # nor another list
        await registry.call(
            registry.catalogue.ListAuditEvents, pb.ListAuditEventsRequest(page_token=token)
        )


@pytest.mark.parametrize(
    "wanted",
    [
        {"capability": "cap:launch.rockets"},
        {"capability": "x" * 5000},
        {"text": "x" * 201},
        {"text": "a\0b"},
        {"publisher": "x" * 201},
        {"runtime": "x" * 201},
        {"runtime": "\x1b[2J"},
        {"status": 77},
        {"page_size": 201},
        {"page_token": "x"},
        {"page_token": "x" * 5000},
    ],
    ids=lambda wanted: ascii(wanted)[:40],
)
async def test_a_filter_that_makes_no_sense_is_refused(
    registry: RegistryUnderTest, wanted: dict[str, Any]
) -> None:
    with pytest.raises((ArgumentInvalidError, PageTokenInvalidError)):
        await registry.call(
            registry.catalogue.ListRegistryEntries, pb.ListRegistryEntriesRequest(**wanted)
        )


# --- the audit log ------------------------------------------------------------------------------


async def test_a_publishers_events_are_its_own_and_those_of_its_extensions(
    registry: RegistryUnderTest,
) -> None:
    publisher, key = f"p{uuid4().hex}", new_signing_key()
    await registry.create_publisher(publisher, key)
    for name in ("a", "a.b"):
        about = f"{publisher}.{name}"
        proof = registry.prove(PublisherAction.CREATE_ENTRY, about, publisher=publisher, key=key)
        request = pb.CreateRegistryEntryRequest(publisher=publisher, name=name)
        await registry.call(registry.catalogue.CreateRegistryEntry, request, proof=proof)
    await registry.create_publisher(f"{publisher}x", key)  # a name that only begins alike

    def told(events: list[Any]) -> list[tuple[str, str]]:
        return [(event.action, event.about) for event in events]

    assert told(await audit(registry, publisher)) == [
        ("entry.created", f"{publisher}.a.b"),
        ("entry.created", f"{publisher}.a"),
        ("publisher.created", publisher),
    ]
    # "a" is no publisher of "a.b": an extension's events are its own alone
    assert told(await audit(registry, f"{publisher}.a")) == [("entry.created", f"{publisher}.a")]
    assert (await audit(registry, publisher.upper()))[-1].actor == "operator"
    created = (await audit(registry, publisher))[-1]
    assert json.loads(created.detail_json) == {"owner": key.key_id}


async def test_events_come_newest_first_and_pages_join_while_more_happens(tool: Tool) -> None:
    registry = tool.registry
    for _ in range(4):
        await tool.yank("1.0.0")
        await tool.unyank("1.0.0")
    everything = await audit(registry, tool.extension)
    assert [event.event_id for event in await audit(registry, tool.extension, page_size=3)] == [
        event.event_id for event in everything
    ]
    request = pb.ListAuditEventsRequest(about=tool.extension, page_size=5)
    first = await registry.call(registry.catalogue.ListAuditEvents, request)
    await tool.yank("1.0.0")  # newer than the page: not in what follows it
    rest = pb.ListAuditEventsRequest(about=tool.extension, page_token=first.next_page_token)
    second = await registry.call(registry.catalogue.ListAuditEvents, rest)
    joined = [event.event_id for event in [*first.events, *second.events]]
    assert joined == [event.event_id for event in everything]
    times = [event.at.ToDatetime() for event in everything]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    "wanted",
    [
        {"about": "x" * 100_000},
        {"about": "%"},
        {"about": "acme."},
        {"about": ".x"},
        {"about": "a\0"},
        {"about": "acme.%"},
        {"page_size": 201},
        {"page_token": "bm90IG91cnM"},
    ],
    ids=lambda wanted: ascii(wanted)[:40],
)
async def test_a_question_about_nothing_is_refused(
    registry: RegistryUnderTest, wanted: dict[str, Any]
) -> None:
    with pytest.raises((ArgumentInvalidError, PageTokenInvalidError)):
        await registry.call(registry.catalogue.ListAuditEvents, pb.ListAuditEventsRequest(**wanted))


async def test_an_audit_token_fits_no_other_question(tool: Tool) -> None:
    request = pb.ListAuditEventsRequest(about=tool.extension, page_size=1)
    call = tool.registry.call(tool.registry.catalogue.ListAuditEvents, request)
    token = (await call).next_page_token
    for other in ("", "acme"):
        asked = pb.ListAuditEventsRequest(about=other, page_token=token)
        with pytest.raises(PageTokenInvalidError):
            await tool.registry.call(tool.registry.catalogue.ListAuditEvents, asked)
