"""Listing records: prefixes are literal, pages meet without a gap, tokens open nothing."""

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_service.postgres.record_store import after_prefix
from shared.errors import ArgumentInvalidError, ForbiddenError, PageTokenInvalidError
from shared.pb.registry.v1 import storage_service_pb2 as pb
from shared.tokens.service_token import ServiceRole
from tests.fixtures.grant_holders import Holder, holder_of
from tests.fixtures.registry import RegistryUnderTest, new_tenant

KEYS = sorted(
    ["a", "a%", "a%b", "a_", "a_b", "ab", "abc", "a\\", "a\\%", "a*", "A", "b", "é", "éa", "\ud7ff",
     "\ue000", "\U0010ffff", "\U0010ffff\U0010ffff", "\U0010fffe", "😀", "😀a"]
)  # fmt: skip


@pytest.fixture(scope="module")
async def extension(registry: RegistryUnderTest) -> str:
    await registry.publish(name="listed")
    return "acme.listed"


@pytest.fixture(scope="module")
async def filled(registry: RegistryUnderTest, extension: str) -> Holder:
    """A namespace with hostile keys, between two others."""
    tenant = new_tenant()
    await registry.install(tenant, extension)
    holder = await holder_of(registry, tenant, extension)
    for key in KEYS:
        await holder.put(key, b"v", "m")
    await holder.put("a", b"v", "l")
    await holder.put("a", b"v", "n")
    return holder


@pytest.mark.parametrize("prefix", [*KEYS, "zz", "a%_", "😁", "\U0010ffff\U0010ffff\U0010ffff"])
async def test_a_prefix_is_taken_to_the_letter(filled: Holder, prefix: str) -> None:
    expected = [key for key in KEYS if key.startswith(prefix)]
    for size in (1, 2, 100):
        assert await filled.keys("m", page_size=size, prefix=prefix) == expected


@pytest.mark.parametrize("prefix", ["a/", "a\0", "k" * 257, "\x9b"])
async def test_a_prefix_that_no_key_has_is_refused(filled: Holder, prefix: str) -> None:
    with pytest.raises(ArgumentInvalidError):
        await filled.page("m", key_prefix=prefix)


@settings(max_examples=500)
@given(prefix=st.text(min_size=1, max_size=4), rest=st.text(max_size=4))
def test_what_begins_so_comes_before_its_end(prefix: str, rest: str) -> None:
    end = after_prefix(prefix)
    if end is None:
        assert set(prefix) == {"\U0010ffff"}
        return
    assert (prefix + rest).encode() < end.encode()
    assert not end.startswith(prefix)
    # nothing lies between them: the end without its last step begins with what it had
    assert end[:-1] == prefix[: len(end) - 1]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, len(KEYS) - 1, len(KEYS), len(KEYS) + 1])
async def test_no_key_is_lost_or_doubled_where_pages_meet(filled: Holder, size: int) -> None:
    assert await filled.keys("m", page_size=size) == KEYS


async def test_a_full_last_page_has_no_token(filled: Holder) -> None:
    page = await filled.page("m", page_size=len(KEYS))
    assert len(page.entries) == len(KEYS)
    assert page.next_page_token == ""


async def test_a_listing_goes_on_where_it_was_although_records_come_and_go(
    registry: RegistryUnderTest, extension: str
) -> None:
    tenant = new_tenant()
    await registry.install(tenant, extension)
    holder = await holder_of(registry, tenant, extension)
    for key in ("b", "d", "f"):
        await holder.put(key, b"")
    first = await holder.page(page_size=2)
    await holder.delete("d")  # the very key that the token stands on
    for key in ("a", "c", "e"):
        await holder.put(key, b"")
    second = await holder.page(page_token=first.next_page_token)
    assert [entry.key for entry in second.entries] == ["e", "f"]


async def test_a_page_of_large_values_ends_early_and_loses_none(
    registry: RegistryUnderTest, extension: str
) -> None:
    tenant = new_tenant()
    await registry.install(tenant, extension)
    holder = await holder_of(registry, tenant, extension)
    keys = [f"k{number:03}" for number in range(100)]
    await asyncio.gather(*(holder.put(key, bytes(65_536)) for key in keys))
    page = await holder.page(page_size=100)
    assert 0 < len(page.entries) < 100  # 6.4 MiB would not fit into a message
    assert await holder.keys(page_size=100) == keys


async def test_a_token_of_another_listing_is_refused_and_a_forged_one_opens_nothing(
    registry: RegistryUnderTest, extension: str, filled: Holder
) -> None:
    other = new_tenant()
    await registry.install(other, extension)
    stranger = await holder_of(registry, other, extension)
    await stranger.put("z", b"mine", "m")
    token = (await filled.page("m", page_size=1, key_prefix="a")).next_page_token
    for wrong in (
        filled.page("m", page_token=token),
        filled.page("m", page_token=token, key_prefix="ab"),
        filled.page("l", page_token=token, key_prefix="a"),
        stranger.page("m", page_token=token, key_prefix="a"),
    ):
        with pytest.raises(PageTokenInvalidError):
            await wrong
    await registry.publish(name="listed-too")
    await registry.install(filled.grant.tenant_id, "acme.listed-too")
    neighbour = await holder_of(registry, filled.grant.tenant_id, "acme.listed-too")
    with pytest.raises(PageTokenInvalidError):
        await neighbour.page("m", page_token=token, key_prefix="a")
    # who can forge a token for a listing of its own gets no further than its own records
    await stranger.put("a", b"mine", "m")
    own = (await stranger.page("m", page_size=1)).next_page_token
    parts = json.loads(base64.urlsafe_b64decode(own + "=" * (-len(own) % 4)))
    for position in ("", "a", "\U0010ffff", "' or 1=1 --"):
        forged = base64.urlsafe_b64encode(json.dumps([parts[0], position]).encode()).decode()
        page = await stranger.page("m", page_token=forged.rstrip("="))
        assert all(entry.value == b"mine" for entry in page.entries)


async def exported(registry: RegistryUnderTest, holder: Holder, **options: Any) -> list[Any]:
    request = pb.ExportEntriesRequest(
        tenant_id=str(holder.grant.tenant_id), extension="acme.listed"
    )
    messages = await registry.stream(registry.storage.ExportEntries, request, **options)
    return [entry for message in messages for entry in message.entries]


async def test_an_export_has_every_record_of_every_namespace(
    registry: RegistryUnderTest, filled: Holder
) -> None:
    found = await exported(registry, filled)
    assert [(entry.namespace, entry.key) for entry in found] == [
        ("l", "a"), *(("m", key) for key in KEYS), ("n", "a"),
    ]  # fmt: skip
    assert {(entry.value, entry.revision) for entry in found} == {(b"v", 1)}


async def test_an_export_larger_than_a_message_is_whole(
    registry: RegistryUnderTest, extension: str
) -> None:
    tenant = new_tenant()
    await registry.install(tenant, extension)
    holder = await holder_of(registry, tenant, extension)
    places = [(f"n{number % 3}", f"k{number:03}") for number in range(120)]
    await asyncio.gather(*(holder.put(key, bytes(65_000), namespace) for namespace, key in places))
    found = await exported(registry, holder)
    assert [(entry.namespace, entry.key) for entry in found] == sorted(places)
    assert all(entry.value == bytes(65_000) for entry in found)


@pytest.mark.parametrize("role", [ServiceRole.RUNNER, ServiceRole.GATEWAY])
async def test_only_an_operator_exports(
    registry: RegistryUnderTest, filled: Holder, role: ServiceRole
) -> None:
    with pytest.raises(ForbiddenError):
        await exported(registry, filled, role=role)
