"""Publishers over the wire: who owns a name, who may publish under it, and giving things away."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from registry_service.publishers.model import MAX_OWNERS
from shared.bundles.archive import content_hash_of
from shared.clock import ManualClock
from shared.errors import (
    ArgumentInvalidError,
    ExtensionError,
    ForbiddenError,
    LastOwnerError,
    PublisherExistsError,
    PublisherNotFoundError,
    PublisherNotOwnedError,
    RegistryEntryExistsError,
    RegistryEntryNotFoundError,
    TransferNotFoundError,
    VersionNotFoundError,
)
from shared.pb.registry.v1 import install_service_pb2
from shared.pb.registry.v1 import publisher_service_pb2 as pb
from shared.pb.registry.v1 import registry_service_pb2 as registry_pb
from shared.tokens.keys import SigningKey
from shared.tokens.publisher_proof import PublisherAction, issue_proof
from shared.tokens.service_token import ServiceRole
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import (
    NewRegistryHome,
    RegistryUnderTest,
    bundle_of,
    new_signing_key,
    new_tenant,
    registry_on,
)

HOSTILE = ["", "Acme", "-acme", "a" * 65, "a.b", "a b", "a\0", "a\n", "é", "../acme", "'; drop"]


class Owned:
    """A publisher of its own, and its first owner's key."""

    def __init__(self, registry: RegistryUnderTest, publisher: str, key: SigningKey) -> None:
        self.registry = registry
        self.publisher = publisher
        self.key = key

    def prove(self, action: PublisherAction, about: str, key: SigningKey | None = None) -> str:
        return self.registry.prove(action, about, publisher=self.publisher, key=key or self.key)

    async def add_owner(self, new: SigningKey, *, by: SigningKey | None = None) -> Any:
        request = pb.AddOwnerRequest(
            publisher=self.publisher, owner_jwk=json.dumps(new.public_jwk())
        )
        proof = self.prove(PublisherAction.ADD_OWNER, new.key_id, by)
        return await self.registry.call(self.registry.publishers.AddOwner, request, proof=proof)

    async def remove_owner(self, key_id: str, *, by: SigningKey | None = None) -> Any:
        request = pb.RemoveOwnerRequest(publisher=self.publisher, key_id=key_id)
        proof = self.prove(PublisherAction.REMOVE_OWNER, key_id, by)
        return await self.registry.call(self.registry.publishers.RemoveOwner, request, proof=proof)

    async def owners(self) -> list[str]:
        request = pb.GetPublisherRequest(publisher=self.publisher)
        answer = await self.registry.call(self.registry.publishers.GetPublisher, request)
        return [owner.key_id for owner in answer.publisher.owners]

    async def create_entry(self, name: str, *, by: SigningKey | None = None) -> Any:
        request = registry_pb.CreateRegistryEntryRequest(publisher=self.publisher, name=name)
        about = f"{self.publisher}.{name}"
        proof = self.prove(PublisherAction.CREATE_ENTRY, about, by)
        call = self.registry.call(self.registry.catalogue.CreateRegistryEntry, request, proof=proof)
        return (await call).entry

    async def add_version(
        self, name: str, *, version: str = "1.0.0", by: SigningKey | None = None
    ) -> Any:
        data = bundle_of(publisher=self.publisher, name=name, version=version)
        await self.registry.upload(data)
        request = registry_pb.AddVersionRequest(
            extension=f"{self.publisher}.{name}",
            content_hash=content_hash_of(data),
            signature_envelope=self.registry.sign(
                data, publisher=self.publisher, name=name, version=version
            ),
        )
        proof = self.prove(PublisherAction.ADD_VERSION, request.content_hash, by)
        call = self.registry.call(self.registry.catalogue.AddVersion, request, proof=proof)
        return (await call).version

    async def offer(self, name: str, to: str, *, by: SigningKey | None = None) -> Any:
        extension = f"{self.publisher}.{name}"
        request = pb.OfferTransferRequest(extension=extension, to_publisher=to)
        proof = self.prove(PublisherAction.OFFER_TRANSFER, f"{extension} {to}", by)
        return await self.registry.call(
            self.registry.publishers.OfferTransfer, request, proof=proof
        )

    async def accept(self, extension: str, *, by: SigningKey | None = None) -> Any:
        request = pb.AcceptTransferRequest(extension=extension, to_publisher=self.publisher)
        proof = self.prove(PublisherAction.ACCEPT_TRANSFER, extension, by)
        return await self.registry.call(
            self.registry.publishers.AcceptTransfer, request, proof=proof
        )


async def new_publisher(registry: RegistryUnderTest) -> Owned:
    key = new_signing_key()
    publisher = f"p{uuid4().hex}"
    await registry.create_publisher(publisher, key)
    return Owned(registry, publisher, key)


@pytest.fixture
async def owner_connection(database: TestDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.owner_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def acme(registry: RegistryUnderTest) -> Owned:
    return await new_publisher(registry)


@pytest.fixture
async def globex(registry: RegistryUnderTest) -> Owned:
    return await new_publisher(registry)


async def test_a_publisher_is_registered_once_with_its_first_owner(
    registry: RegistryUnderTest, acme: Owned
) -> None:
    assert await acme.owners() == [acme.key.key_id]
    request = pb.CreatePublisherRequest(
        publisher=acme.publisher, owner_jwk=json.dumps(new_signing_key().public_jwk())
    )
    with pytest.raises(PublisherExistsError):
        await registry.call(registry.publishers.CreatePublisher, request)
    assert await acme.owners() == [acme.key.key_id]


async def test_of_two_who_register_the_same_name_one_has_it(registry: RegistryUnderTest) -> None:
    publisher = f"p{uuid4().hex}"
    keys = [new_signing_key() for _ in range(8)]
    requests = [
        pb.CreatePublisherRequest(publisher=publisher, owner_jwk=json.dumps(key.public_jwk()))
        for key in keys
    ]
    answers = await asyncio.gather(
        *(registry.call(registry.publishers.CreatePublisher, request) for request in requests),
        return_exceptions=True,
    )
    made = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(made) == 1
    assert sum(isinstance(answer, PublisherExistsError) for answer in answers) == len(keys) - 1
    found = await Owned(registry, publisher, keys[0]).owners()
    assert found == [owner.key_id for owner in made[0].publisher.owners]


@pytest.mark.parametrize("publisher", HOSTILE, ids=ascii)
async def test_a_name_that_is_none_is_refused_and_is_not_found(
    registry: RegistryUnderTest, publisher: str
) -> None:
    jwk = json.dumps(new_signing_key().public_jwk())
    create = pb.CreatePublisherRequest(publisher=publisher, owner_jwk=jwk)
    with pytest.raises(ArgumentInvalidError):
        await registry.call(registry.publishers.CreatePublisher, create)
    for method, request in (
        (registry.publishers.GetPublisher, pb.GetPublisherRequest(publisher=publisher)),
        (registry.publishers.AddOwner, pb.AddOwnerRequest(publisher=publisher, owner_jwk=jwk)),
        (registry.publishers.RemoveOwner, pb.RemoveOwnerRequest(publisher=publisher, key_id="x")),
    ):
        with pytest.raises(PublisherNotFoundError):
            await registry.call(method, request)


@pytest.mark.parametrize("jwk", ["", "{}", "not json", '{"kty":"OKP"}', "x" * 100_000], ids=len)
async def test_a_key_that_is_none_makes_no_publisher_and_no_owner(
    registry: RegistryUnderTest, acme: Owned, jwk: str
) -> None:
    publisher = f"p{uuid4().hex}"
    with pytest.raises(ArgumentInvalidError):
        await registry.call(
            registry.publishers.CreatePublisher,
            pb.CreatePublisherRequest(publisher=publisher, owner_jwk=jwk),
        )
    with pytest.raises(PublisherNotFoundError):
        await registry.call(
            registry.publishers.GetPublisher, pb.GetPublisherRequest(publisher=publisher)
        )
    with pytest.raises(ArgumentInvalidError):
        await registry.call(
            registry.publishers.AddOwner,
            pb.AddOwnerRequest(publisher=acme.publisher, owner_jwk=jwk),
        )
    assert await acme.owners() == [acme.key.key_id]


async def test_the_private_half_of_a_key_is_refused_and_not_repeated(
    registry: RegistryUnderTest,
) -> None:
    secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I"
    jwk = json.dumps({**new_signing_key().public_jwk(), "d": secret})
    request = pb.CreatePublisherRequest(publisher=f"p{uuid4().hex}", owner_jwk=jwk)
    with pytest.raises(ArgumentInvalidError) as refused:
        await registry.call(registry.publishers.CreatePublisher, request)
    assert secret not in refused.value.message


@pytest.mark.parametrize("role", [ServiceRole.GATEWAY, ServiceRole.RUNNER])
async def test_publishers_are_an_operators_business(
    registry: RegistryUnderTest, acme: Owned, role: ServiceRole
) -> None:
    request = pb.GetPublisherRequest(publisher=acme.publisher)
    with pytest.raises(ForbiddenError):
        await registry.call(registry.publishers.GetPublisher, request, role=role)


# --- publishing ---------------------------------------------------------------------------------


async def test_only_an_owner_publishes(acme: Owned, globex: Owned) -> None:
    entry = await acme.create_entry("tool")
    assert entry.publisher == acme.publisher
    version = await acme.add_version("tool")
    assert version.version == "1.0.0"
    with pytest.raises(PublisherNotOwnedError, match="is no owner"):
        await acme.create_entry("other", by=globex.key)
    with pytest.raises(PublisherNotOwnedError):
        await acme.add_version("tool", version="1.0.1", by=globex.key)


async def test_a_call_without_a_proof_publishes_nothing(
    registry: RegistryUnderTest, acme: Owned
) -> None:
    entry = registry_pb.CreateRegistryEntryRequest(publisher=acme.publisher, name="tool")
    with pytest.raises(PublisherNotOwnedError, match="x-publisher-proof"):
        await registry.call(registry.catalogue.CreateRegistryEntry, entry, proof="")
    await acme.create_entry("tool")
    version = registry_pb.AddVersionRequest(
        extension=f"{acme.publisher}.tool", content_hash=f"sha256:{'0' * 64}"
    )
    with pytest.raises(PublisherNotOwnedError):
        await registry.call(registry.catalogue.AddVersion, version, proof="")


async def test_nothing_is_published_for_a_publisher_that_is_not_there(
    registry: RegistryUnderTest,
) -> None:
    nobody = Owned(registry, f"p{uuid4().hex}", new_signing_key())
    with pytest.raises(PublisherNotFoundError, match="create it"):
        await nobody.create_entry("tool")


async def test_entries_from_before_there_were_owners_wait_for_their_publisher(
    registry: RegistryUnderTest, owner_connection: Any
) -> None:
    old = Owned(registry, f"p{uuid4().hex}", new_signing_key())
    await owner_connection.execute(
        "insert into extension_registry (publisher, name) values ($1, 'tool')", old.publisher
    )
    with pytest.raises(PublisherNotFoundError):
        await old.add_version("tool")
    await registry.create_publisher(old.publisher, old.key)
    assert (await old.add_version("tool")).version == "1.0.0"


async def test_a_proof_counts_once(registry: RegistryUnderTest, acme: Owned) -> None:
    """An owner that was removed cannot come back by what was once said for it."""
    guest = new_signing_key()
    request = pb.AddOwnerRequest(publisher=acme.publisher, owner_jwk=json.dumps(guest.public_jwk()))
    proof = acme.prove(PublisherAction.ADD_OWNER, guest.key_id)
    await registry.call(registry.publishers.AddOwner, request, proof=proof)
    await acme.remove_owner(guest.key_id)
    with pytest.raises(PublisherNotOwnedError, match="used before"):
        await registry.call(registry.publishers.AddOwner, request, proof=proof)
    assert await acme.owners() == [acme.key.key_id]


async def test_of_many_uses_of_one_proof_at_once_one_counts(
    registry: RegistryUnderTest, acme: Owned
) -> None:
    request = registry_pb.CreateRegistryEntryRequest(publisher=acme.publisher, name="tool")
    proof = acme.prove(PublisherAction.CREATE_ENTRY, f"{acme.publisher}.tool")
    answers = await asyncio.gather(
        *(
            registry.call(registry.catalogue.CreateRegistryEntry, request, proof=proof)
            for _ in range(8)
        ),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, PublisherNotOwnedError)]
    assert len(refused) == 7


async def test_spent_proofs_are_forgotten_when_they_could_not_be_used_anyway(
    acme: Owned, owner_connection: Any
) -> None:
    await acme.create_entry("tool")
    await owner_connection.execute(
        "update extension_spent_proof set expires_at = now() - interval '2 hours'"
    )
    await acme.create_entry("tool-2")
    assert await owner_connection.fetchval("select count(*) from extension_spent_proof") == 1


# --- owners -------------------------------------------------------------------------------------


async def test_an_owner_adds_another_who_may_do_all_that_the_first_may(
    acme: Owned, globex: Owned
) -> None:
    answer = await acme.add_owner(globex.key)
    assert [owner.key_id for owner in answer.publisher.owners] == await acme.owners()
    again = await acme.add_owner(globex.key)
    assert len(again.publisher.owners) == 2
    await acme.create_entry("tool", by=globex.key)
    await acme.remove_owner(acme.key.key_id, by=globex.key)
    assert await acme.owners() == [globex.key.key_id]
    with pytest.raises(PublisherNotOwnedError):
        await acme.add_version("tool")


async def test_a_stranger_changes_no_owner(acme: Owned, globex: Owned) -> None:
    with pytest.raises(PublisherNotOwnedError):
        await acme.add_owner(globex.key, by=globex.key)
    with pytest.raises(PublisherNotOwnedError):
        await acme.remove_owner(acme.key.key_id, by=globex.key)
    assert await acme.owners() == [acme.key.key_id]


async def test_the_last_owner_cannot_leave(acme: Owned) -> None:
    with pytest.raises(LastOwnerError):
        await acme.remove_owner(acme.key.key_id)
    await acme.remove_owner("nobody")  # idempotent
    assert await acme.owners() == [acme.key.key_id]


async def test_owners_who_leave_at_once_leave_one(acme: Owned) -> None:
    others = [new_signing_key() for _ in range(9)]
    for other in others:
        await acme.add_owner(other)
    keys = [acme.key, *others]
    answers = await asyncio.gather(
        *(acme.remove_owner(key.key_id, by=key) for key in keys), return_exceptions=True
    )
    assert len(await acme.owners()) == 1
    assert sum(isinstance(answer, LastOwnerError) for answer in answers) == 1


async def test_two_owners_who_throw_each_other_out_do_not_both_succeed(acme: Owned) -> None:
    others = [new_signing_key() for _ in range(2)]
    for other in others:
        await acme.add_owner(other)
    one, two = others
    answers = await asyncio.gather(
        acme.remove_owner(two.key_id, by=one),
        acme.remove_owner(one.key_id, by=two),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, PublisherNotOwnedError) for answer in answers) == 1
    assert len(await acme.owners()) == 2


async def test_a_publisher_has_so_many_owners_and_no_more(acme: Owned) -> None:
    for _ in range(MAX_OWNERS - 1):
        await acme.add_owner(new_signing_key())
    with pytest.raises(ArgumentInvalidError, match="at most"):
        await acme.add_owner(new_signing_key())


@pytest.mark.parametrize("key_id", ["", "x" * 100_000, "\0", "'; drop table"], ids=ascii)
async def test_a_key_id_that_is_none_removes_nobody(
    registry: RegistryUnderTest, acme: Owned, key_id: str
) -> None:
    request = pb.RemoveOwnerRequest(publisher=acme.publisher, key_id=key_id)
    proof = acme.prove(PublisherAction.REMOVE_OWNER, acme.key.key_id)
    with pytest.raises(PublisherNotOwnedError):
        await registry.call(registry.publishers.RemoveOwner, request, proof=proof)
    assert await acme.owners() == [acme.key.key_id]


# --- transfers ----------------------------------------------------------------------------------


async def test_an_extension_changes_hands_when_both_sides_say_so(
    registry: RegistryUnderTest, acme: Owned, globex: Owned
) -> None:
    entry = await acme.create_entry("tool")
    version = await acme.add_version("tool")
    tenant_id = new_tenant()
    install = await registry.install(tenant_id, f"{acme.publisher}.tool")

    await acme.offer("tool", globex.publisher)
    answer = await globex.accept(f"{acme.publisher}.tool")

    named = f"{globex.publisher}.tool"
    assert answer.extension == named
    found = await registry.call(
        registry.catalogue.GetRegistryEntry, registry_pb.GetRegistryEntryRequest(extension=named)
    )
    assert found.entry.registry_id == entry.registry_id
    with pytest.raises(RegistryEntryNotFoundError):
        await registry.call(
            registry.catalogue.GetRegistryEntry,
            registry_pb.GetRegistryEntryRequest(extension=f"{acme.publisher}.tool"),
        )
    with pytest.raises(RegistryEntryNotFoundError):
        await acme.add_version("tool", version="1.1.0")
    assert (await globex.add_version("tool", version="1.1.0")).version == "1.1.0"

    # what was signed under the old name runs and can be installed under the new one
    resolved = await registry.resolve(tenant_id, named)
    assert resolved.install.install_id == install.install_id
    assert resolved.install.version_id == version.version_id
    other = install_service_pb2.InstallRequest(
        tenant_id=str(new_tenant()), extension=named, version="1.0.0"
    )
    again = await registry.call(registry.installs.Install, other)
    assert again.install.version_id == version.version_id


async def test_neither_side_moves_an_extension_alone(acme: Owned, globex: Owned) -> None:
    await acme.create_entry("tool")
    extension = f"{acme.publisher}.tool"
    with pytest.raises(TransferNotFoundError):
        await globex.accept(extension)
    with pytest.raises(PublisherNotOwnedError):
        await acme.offer("tool", globex.publisher, by=globex.key)
    await acme.offer("tool", globex.publisher)
    with pytest.raises(PublisherNotOwnedError):
        await globex.accept(extension, by=acme.key)
    await globex.accept(extension)
    with pytest.raises(TransferNotFoundError):
        await globex.accept(extension)


async def test_the_last_offer_stands(
    registry: RegistryUnderTest, acme: Owned, globex: Owned
) -> None:
    initech = await new_publisher(registry)
    await acme.create_entry("tool")
    extension = f"{acme.publisher}.tool"
    await acme.offer("tool", globex.publisher)
    await acme.offer("tool", initech.publisher)
    with pytest.raises(TransferNotFoundError):
        await globex.accept(extension)
    assert (await initech.accept(extension)).extension == f"{initech.publisher}.tool"


async def test_an_offer_is_refused_where_it_makes_no_sense(acme: Owned, globex: Owned) -> None:
    with pytest.raises(RegistryEntryNotFoundError):
        await acme.offer("tool", globex.publisher)
    await acme.create_entry("tool")
    with pytest.raises(PublisherNotFoundError):
        await acme.offer("tool", "no-such-publisher")
    with pytest.raises(PublisherNotFoundError):
        await acme.offer("tool", "\0")
    with pytest.raises(ArgumentInvalidError):
        await acme.offer("tool", acme.publisher)


async def test_a_name_that_is_taken_cannot_be_received(acme: Owned, globex: Owned) -> None:
    await acme.create_entry("tool")
    await globex.create_entry("tool")
    await acme.offer("tool", globex.publisher)
    with pytest.raises(RegistryEntryExistsError):
        await globex.accept(f"{acme.publisher}.tool")
    assert (await acme.add_version("tool")).version == "1.0.0"  # nothing half-done


async def test_what_came_back_is_judged_by_whoever_signed_it(
    registry: RegistryUnderTest, acme: Owned, globex: Owned
) -> None:
    await acme.create_entry("tool")
    await acme.add_version("tool", version="1.0.0")
    await acme.offer("tool", globex.publisher)
    await globex.accept(f"{acme.publisher}.tool")
    await globex.add_version("tool", version="2.0.0")
    await globex.offer("tool", acme.publisher)
    await acme.accept(f"{globex.publisher}.tool")
    await acme.add_version("tool", version="3.0.0")
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        request = install_service_pb2.InstallRequest(
            tenant_id=str(new_tenant()), extension=f"{acme.publisher}.tool", version=version
        )
        assert (await registry.call(registry.installs.Install, request)).changed


async def test_an_offer_is_over_after_a_week(
    database: TestDatabase, new_registry_home: NewRegistryHome
) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with registry_on(new_registry_home(), database, clock=clock) as registry:
        registry.follow(clock)
        giver, receiver = await new_publisher(registry), await new_publisher(registry)
        for name in ("early", "late"):
            await giver.create_entry(name)
            answer = await giver.offer(name, receiver.publisher)
            assert answer.expires_at.ToDatetime(UTC) == clock.now() + timedelta(days=7)
        clock.advance(timedelta(days=7).total_seconds() - 1)
        await receiver.accept(f"{giver.publisher}.early")
        clock.advance(1)
        with pytest.raises(TransferNotFoundError):
            await receiver.accept(f"{giver.publisher}.late")


async def test_of_a_publish_and_a_transfer_at_once_each_leaves_a_whole_thing(
    registry: RegistryUnderTest, acme: Owned, globex: Owned
) -> None:
    await acme.create_entry("tool")
    await acme.offer("tool", globex.publisher)
    answers: tuple[Any, Any] = await asyncio.gather(
        acme.add_version("tool"), globex.accept(f"{acme.publisher}.tool"), return_exceptions=True
    )
    published, moved = answers
    assert not isinstance(moved, BaseException)
    request = registry_pb.GetVersionRequest(extension=f"{globex.publisher}.tool", version="1.0.0")
    if isinstance(published, ExtensionError):
        assert published.reason in {"PUBLISHER_NOT_OWNED", "REGISTRY_ENTRY_NOT_FOUND"}
        with pytest.raises(VersionNotFoundError):
            await registry.call(registry.catalogue.GetVersion, request)
        return
    assert not isinstance(published, BaseException)
    found = await registry.call(registry.catalogue.GetVersion, request)
    assert found.version.version_id == published.version_id


async def test_an_expired_proof_is_refused(registry: RegistryUnderTest, acme: Owned) -> None:
    late = issue_proof(
        acme.key,
        publisher=acme.publisher,
        action=PublisherAction.CREATE_ENTRY,
        about=f"{acme.publisher}.tool",
        now=datetime.now(UTC) - timedelta(minutes=6),
    )
    request = registry_pb.CreateRegistryEntryRequest(publisher=acme.publisher, name="tool")
    with pytest.raises(PublisherNotOwnedError, match="expired"):
        await registry.call(registry.catalogue.CreateRegistryEntry, request, proof=late)
