"""What becomes of a version over the wire: deprecated, yanked, quarantined, and each undone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from registry_service.postgres.life_cycle_store import INSTALL_CHANGES
from shared.errors import (
    ArgumentInvalidError,
    ExtensionError,
    ForbiddenError,
    PublisherNotOwnedError,
    QuarantineNotFoundError,
    VersionNotFoundError,
)
from shared.pb.registry.v1 import install_service_pb2 as install_pb
from shared.pb.registry.v1 import registry_entry_pb2
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.tokens.publisher_proof import PublisherAction
from shared.tokens.service_token import ServiceRole
from tests.fixtures.catalogue import Tool
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import RegistryUnderTest, new_signing_key, new_tenant

STATUS = registry_entry_pb2.ExtensionVersion
Json = dict[str, Any]


@pytest.fixture
async def owner_connection(database: TestDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.owner_dsn)
    yield connection
    await connection.close()


# --- deprecation --------------------------------------------------------------------------------


async def test_deprecating_again_keeps_the_date_and_takes_the_last_words(tool: Tool) -> None:
    first = await tool.deprecate("1.0.0", "slow")
    second = await tool.deprecate("1.0.0", "slow", replacement="1.1.0")
    assert first.deprecation.deprecated_at == second.deprecation.deprecated_at
    assert (await tool.version("1.0.0")).deprecation.replacement == "1.1.0"


async def test_a_replacement_may_be_another_extension(tool: Tool) -> None:
    other = Tool(tool.registry)
    await other.publish("1.0.0")
    deprecated = await tool.deprecate("1.0.0", replacement=other.extension.upper())
    assert deprecated.deprecation.replacement == other.extension


@pytest.mark.parametrize(
    "replacement", ["9.9.9", "no.such", "x" * 500, "\x1b[31m", "1.0.0", "1.*", "../x"], ids=ascii
)
async def test_a_replacement_that_is_not_there_is_refused(tool: Tool, replacement: str) -> None:
    with pytest.raises(ArgumentInvalidError):
        await tool.deprecate("1.0.0", replacement=replacement)
    with pytest.raises(ArgumentInvalidError, match="itself"):
        await tool.deprecate("1.0.0", replacement=tool.extension)
    assert not (await tool.version("1.0.0")).HasField("deprecation")


# --- yank ---------------------------------------------------------------------------------------


async def test_yanking_again_keeps_the_first_reason(tool: Tool) -> None:
    first = await tool.yank("1.0.0", "first")
    second = await tool.yank("1.0.0", "second")
    assert second.yank == first.yank
    await tool.unyank("1.0.0")
    assert (await tool.unyank("1.0.0")).status == STATUS.STATUS_PUBLISHED


async def test_the_latest_version_is_the_highest_release_that_can_be_installed(
    tool: Tool,
) -> None:
    await tool.publish("2.0.0-rc.1")
    assert await tool.latest() == "1.1.0"
    await tool.publish("2.0.0")
    assert await tool.latest() == "2.0.0"
    await tool.yank("2.0.0")
    assert await tool.latest() == "1.1.0"
    await tool.quarantine("1.1.0")
    assert await tool.latest() == "1.0.0"
    await tool.yank("1.0.0")
    assert await tool.latest() == ""
    with pytest.raises(VersionNotFoundError):
        await tool.install("")
    await tool.lift("1.1.0")
    assert await tool.latest() == "1.1.0"
    await tool.unyank("2.0.0")
    assert await tool.latest() == "2.0.0"


async def test_what_was_taken_back_never_mixes_with_what_was_not(tool: Tool) -> None:
    await tool.deprecate("1.0.0", "old")
    await tool.yank("1.0.0", "broken")
    await tool.quarantine("1.0.0", "malicious")
    version = await tool.version("1.0.0")
    assert version.status == STATUS.STATUS_QUARANTINED
    assert (version.deprecation.reason, version.yank.reason) == ("old", "broken")
    assert (await tool.lift("1.0.0")).status == STATUS.STATUS_YANKED
    assert (await tool.unyank("1.0.0")).status == STATUS.STATUS_PUBLISHED
    assert (await tool.version("1.0.0")).deprecation.reason == "old"


async def test_a_version_is_never_published_twice_whatever_became_of_it(tool: Tool) -> None:
    for take_back in (tool.yank, tool.quarantine):
        await take_back("1.0.0")
        with pytest.raises(ExtensionError) as refused:
            await tool.publish("1.0.0")
        assert refused.value.reason == "EXTENSION_VERSION_ALREADY_EXISTS"


async def test_of_publishes_and_yanks_at_once_the_latest_version_is_right(tool: Tool) -> None:
    await asyncio.gather(
        *(tool.publish(f"1.2.{patch}") for patch in range(4)),
        *(tool.yank(version) for version in ("1.0.0", "1.1.0")),
    )
    assert await tool.latest() == "1.2.3"
    await asyncio.gather(*(tool.yank(f"1.2.{patch}") for patch in range(4)), tool.unyank("1.0.0"))
    assert await tool.latest() == "1.0.0"


# --- quarantine ---------------------------------------------------------------------------------


async def test_the_receipt_counts_what_was_stopped_over_all_tenants(
    tool: Tool, owner_connection: Any
) -> None:
    tenants = [new_tenant() for _ in range(3)]
    installs = [(await tool.install("1.1.0", tenant)).install for tenant in tenants]
    await tool.install("1.0.0")
    disable = install_pb.DisableRequest(tenant_id=str(tenants[0]), extension=tool.extension)
    await tool.registry.call(tool.registry.installs.Disable, disable)
    version = await tool.version("1.1.0")

    before = datetime.now(UTC)
    receipt = await tool.quarantine("1.1.0", "steals tokens", actor="ada")
    assert (receipt.extension, receipt.version) == (tool.extension, "1.1.0")
    assert receipt.content_hash == version.content_hash
    assert (receipt.reason, receipt.actor) == ("steals tokens", "operator:ada")
    assert (receipt.installs, receipt.enabled_installs) == (3, 2)
    assert not receipt.HasField("last_execution_at")
    assert not receipt.HasField("lifted_at")
    since = receipt.quarantined_at.ToDatetime(UTC)
    assert before <= since <= datetime.now(UTC)
    assert receipt.effective_by.ToDatetime(UTC) - since <= timedelta(seconds=30)

    # what the runners tell later is in the receipt when it is asked for
    started = datetime.now(UTC)
    install = installs[1]
    await owner_connection.execute(
        """
        insert into extension_execution_log
          (tenant_id, id, registry_id, version_id, install_id, content_hash, request_id,
           started_at, finished_at, status)
        values ($1, $2, $3, $4, $5, $6, 'r', $7, $7, 'ok')
        """,
        tenants[1], uuid4(), install.registry_id, install.version_id, install.install_id,
        install.content_hash, started,
    )  # fmt: skip
    request = pb.GetQuarantineReceiptRequest(receipt_id=receipt.receipt_id)
    call = tool.registry.call(tool.registry.catalogue.GetQuarantineReceipt, request)
    later = (await call).receipt
    assert later.last_execution_at.ToDatetime(UTC) == started
    assert later.installs == 3


async def test_the_same_version_has_the_same_receipt_while_it_lasts(tool: Tool) -> None:
    receipts = await asyncio.gather(*(tool.quarantine("1.0.0", f"{n}") for n in range(6)))
    assert len({receipt.receipt_id for receipt in receipts}) == 1
    assert len({receipt.reason for receipt in receipts}) == 1
    await tool.lift("1.0.0")
    await tool.lift("1.0.0")
    request = pb.GetQuarantineReceiptRequest(receipt_id=receipts[0].receipt_id)
    call = tool.registry.call(tool.registry.catalogue.GetQuarantineReceipt, request)
    assert (await call).receipt.HasField("lifted_at")
    again = await tool.quarantine("1.0.0", "again")
    assert again.receipt_id != receipts[0].receipt_id
    assert again.reason == "again"


async def test_the_receipt_names_other_versions_with_the_same_bytes(
    tool: Tool, owner_connection: Any
) -> None:
    """Bytes name their extension, so only a transfer or hand-made rows can make this happen."""
    receipt = await tool.quarantine("1.0.0")
    assert list(receipt.same_content) == []
    await owner_connection.execute(
        "update extension_bundle set content_hash = $1 where version_id = $2",
        receipt.content_hash, (await tool.version("1.1.0")).version_id,
    )  # fmt: skip
    request = pb.GetQuarantineReceiptRequest(receipt_id=receipt.receipt_id)
    call = tool.registry.call(tool.registry.catalogue.GetQuarantineReceipt, request)
    assert list((await call).receipt.same_content) == [f"{tool.extension} 1.1.0"]


async def test_watchers_hear_of_a_quarantine_and_of_its_end_once_each(
    tool: Tool, database: TestDatabase
) -> None:
    heard: list[Json] = []

    def hear(*told: object) -> None:
        heard.append(json.loads(str(told[-1])))

    connection = await asyncpg.connect(database.application_dsn)
    try:
        await connection.add_listener(INSTALL_CHANGES, hear)
        for act in (tool.quarantine, tool.quarantine, tool.lift, tool.lift):
            await act("1.0.0")
        await connection.execute("select 1")
    finally:
        await connection.close()
    version = await tool.version("1.0.0")
    mine = [told for told in heard if told.get("version_id") == version.version_id]
    assert [told["quarantined"] for told in mine] == [True, False]
    assert all(told["content_hash"] == version.content_hash for told in mine)


@pytest.mark.parametrize("receipt_id", ["", "x", "\0", "0" * 100_000, str(uuid4())], ids=len)
async def test_a_receipt_that_is_not_there_is_not_found(
    registry: RegistryUnderTest, receipt_id: str
) -> None:
    request = pb.GetQuarantineReceiptRequest(receipt_id=receipt_id)
    with pytest.raises(QuarantineNotFoundError):
        await registry.call(registry.catalogue.GetQuarantineReceipt, request)


# --- who may, and how it is written down --------------------------------------------------------


def proof_for(tool: Tool, action: PublisherAction, version: str, **others: Any) -> str:
    return tool.registry.prove(action, f"{tool.extension} {version}", **others)


async def test_an_owners_proof_makes_it_the_owners_doing(tool: Tool) -> None:
    proof = proof_for(tool, PublisherAction.YANK, "1.0.0")
    yanked = (await tool.ask("Yank", "1.0.0", proof, reason="broken", actor="mallory")).version
    assert yanked.yank.actor == f"owner:{tool.registry.home.owner_key.key_id}"
    by_operator = await tool.yank("1.1.0", actor="ada")
    assert by_operator.yank.actor == "operator:ada"


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("Deprecate", PublisherAction.DEPRECATE),
        ("Undeprecate", PublisherAction.UNDEPRECATE),
        ("Yank", PublisherAction.YANK),
        ("Unyank", PublisherAction.UNYANK),
    ],
)
async def test_a_proof_that_does_not_hold_is_not_overlooked(
    tool: Tool, method: str, action: PublisherAction
) -> None:
    fields = {} if method.startswith("Un") else {"reason": "because"}
    wrong = PublisherAction.YANK if action is not PublisherAction.YANK else PublisherAction.UNYANK
    for proof in (
        "nonsense",
        proof_for(tool, wrong, "1.0.0"),
        proof_for(tool, action, "1.1.0"),
        proof_for(tool, action, "1.0.0", key=new_signing_key()),
    ):
        with pytest.raises(PublisherNotOwnedError):
            await tool.ask(method, "1.0.0", proof, **fields)
    right = proof_for(tool, action, "1.0.0")
    await tool.ask(method, "1.0.0", right, **fields)
    with pytest.raises(PublisherNotOwnedError, match="used before"):
        await tool.ask(method, "1.0.0", right, **fields)


METHODS = [
    "Deprecate", "Undeprecate", "Yank", "Unyank", "Quarantine", "LiftQuarantine",
]  # fmt: skip


@pytest.mark.parametrize("method", [*METHODS, "GetQuarantineReceipt", "ListAuditEvents"])
@pytest.mark.parametrize("role", [ServiceRole.GATEWAY, ServiceRole.RUNNER])
async def test_only_an_operator_may(
    registry: RegistryUnderTest, method: str, role: ServiceRole
) -> None:
    with pytest.raises(ForbiddenError):
        await registry.call(
            getattr(registry.catalogue, method), getattr(pb, f"{method}Request")(), role=role
        )


@pytest.mark.parametrize("method", METHODS)
async def test_a_version_that_is_not_there_is_not_found(tool: Tool, method: str) -> None:
    fields = {} if "Un" in method or "Lift" in method else {"reason": "because"}
    for version in ("9.9.9", "\0", "x" * 5000, "1.0", "1.0.*"):
        with pytest.raises(VersionNotFoundError):
            await tool.ask(method, version, **fields)
    with pytest.raises(ArgumentInvalidError, match="Name the version"):
        await tool.ask(method, "", **fields)
    missing = Tool(tool.registry)
    with pytest.raises(VersionNotFoundError):
        await missing.ask(method, "1.0.0", **fields)


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": ""},
        {"reason": " \n"},
        {"reason": "x" * 501},
        {"reason": "\x1b[2J"},
        {"reason": "a\nb"},
        {"reason": "\u202e"},
        {"actor": "x" * 129},
        {"actor": "a\nb"},
        {"actor": "\x1b[2J"},
    ],
    ids=ascii,
)
@pytest.mark.parametrize("method", ["Deprecate", "Yank", "Quarantine"])
async def test_words_that_are_empty_endless_or_steer_a_terminal_are_refused(
    tool: Tool, method: str, changed: dict[str, str]
) -> None:
    with pytest.raises(ArgumentInvalidError):
        await tool.ask(method, "1.0.0", **{"reason": "because", **changed})
    assert (await tool.version("1.0.0")).status == STATUS.STATUS_PUBLISHED


async def test_everything_is_written_down_once_and_in_order(tool: Tool) -> None:
    for act in (tool.deprecate, tool.yank, tool.quarantine):
        await act("1.0.0", actor="ada")
        await act("1.0.0", actor="bob")  # changes nothing, so it is no event
    await tool.lift("1.0.0")
    await tool.unyank("1.0.0")
    await tool.ask("Undeprecate", "1.0.0")
    events = await tool.events()
    assert [action for action, _, _ in events] == [
        "entry.created", "version.published", "version.published", "version.deprecated",
        "version.yanked", "version.quarantined", "version.quarantine_lifted", "version.unyanked",
        "version.undeprecated",
    ]  # fmt: skip
    owner = f"owner:{tool.registry.home.owner_key.key_id}"
    assert [actor for _, actor, _ in events] == [owner] * 3 + ["operator:ada"] * 3 + [
        "operator"
    ] * 3
    assert events[4][2] == {"version": "1.0.0", "reason": "broken"}
    version = await tool.version("1.0.0")
    published = events[1][2]
    assert published["content_hash"] == version.content_hash
    assert published["signature"] == "verified"


@pytest.mark.parametrize(
    "verb",
    [
        "update extension_audit_event set actor = ''",
        "delete from extension_audit_event",
        "truncate extension_audit_event",
        "update extension_version set manifest = '{}'",
        "update extension_version set version = '9.9.9'",
        "delete from extension_version",
        "update extension_quarantine set installs = 0",
        "delete from extension_quarantine",
        "update extension_publisher_owner set key_id = ''",
    ],
)
async def test_the_registry_itself_cannot_rewrite_history(
    database: TestDatabase, verb: str
) -> None:
    connection = await asyncpg.connect(database.application_dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(verb)
    finally:
        await connection.close()


async def test_a_count_over_all_tenants_shows_none_of_them(
    tool: Tool, database: TestDatabase
) -> None:
    tenant_id = new_tenant()
    install = (await tool.install("1.1.0", tenant_id)).install
    connection = await asyncpg.connect(database.application_dsn)
    try:
        async with connection.transaction():
            counted = await connection.fetchrow(
                "select * from version_census($1)", install.version_id
            )
            assert counted is not None
            assert tuple(counted) == (1, 1, None)
            # neither what it leaves behind nor the setting that it uses opens anything
            count: Callable[[], Any] = lambda: connection.fetchval(  # noqa: E731 - asked twice
                "select count(*) from tenant_extension_install"
            )
            assert await count() == 0
            await connection.execute("set local extension.census = 'on'")
            assert await count() == 0
    finally:
        await connection.close()
