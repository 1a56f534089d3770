import asyncio
from collections.abc import Iterator
from uuid import UUID

import pytest

from runner_service.abi.types import (
    EnumType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    Type,
    VariantType,
)
from runner_service.abi.values import Case, Err, Ok, Value
from runner_service.abi.world import IMPORTS
from runner_service.backends.backends import Backends
from runner_service.backends.loop_bridge import LoopBridge
from runner_service.backends.storage import StoredEntry
from runner_service.capabilities.capabilities import (
    CAPABILITIES,
    MAX_HOST_CALLS,
    CapabilityTable,
    InvocationHost,
)
from runner_service.capabilities.capability import Capability
from runner_service.capabilities.unoffered import Unoffered
from runner_service.invocation import Invocation
from shared.capabilities import CAPABILITIES as ALL_CAPABILITIES
from shared.capabilities import (
    CONTEXT_READ,
    HTTP_FETCH,
    LOG_EMIT,
    SCHEDULER_MANAGE,
    STORAGE_KV,
    UI_PROXY,
    USER_READ,
)
from shared.clock import SystemClock
from shared.errors import GuestTimedOutError, GuestTrappedError
from tests.fakes.memory_secrets import MemorySecrets
from tests.fakes.memory_storage import MemoryStorage
from tests.fixtures.invocations import ALICE, grant_of, invocation_of


@pytest.fixture
async def table() -> CapabilityTable:
    bridge = LoopBridge(loop=asyncio.get_running_loop(), clock=SystemClock())
    return CapabilityTable(
        Backends(bridge=bridge, storage=MemoryStorage(), secrets=MemorySecrets())
    )


def gated() -> Iterator[type[Capability]]:
    return (kind for kind in CAPABILITIES if kind.name)


def functions() -> list[tuple[type[Capability], str]]:
    return [(kind, function) for kind in CAPABILITIES for function in IMPORTS[kind.interface]]


def fits(  # noqa: C901, PLR0911, PLR0912 - one case for each kind of type
    value: Value, of: Type | None
) -> bool:
    """Whether a value is one of this type of the guest's world."""
    match of, value:
        case None, None:
            return True
        case OptionType(), None:
            return True
        case OptionType(some), _:
            return fits(value, some)
        case ResultType(ok, _), Ok(inner):
            return fits(inner, ok)
        case ResultType(_, err), Err(inner):
            return fits(inner, err)
        case EnumType(cases), str():
            return value in cases
        case VariantType(cases), Case(name, payload):
            return name in dict(cases) and fits(payload, dict(cases)[name])
        case RecordType(fields), dict():
            names = [name for name, _ in fields]
            return set(value) == set(names) and all(fits(value[name], of) for name, of in fields)
        case ListType(Primitive.U8), bytes():
            return True
        case ListType(element), list():
            return all(fits(item, element) for item in value)
        case TupleType(elements), tuple():
            return all(map(fits, value, elements))
        case Primitive.BOOL, bool():
            return True
        case Primitive.STRING, str():
            return True
        case Primitive.F64, float():
            return True
        case Primitive(), int():
            return not isinstance(value, bool)
        case _:
            return False


def host_of(table: CapabilityTable, *capabilities: str) -> tuple[InvocationHost, Invocation]:
    invocation = invocation_of(grant_of(*capabilities), user=ALICE)
    return table.host_of(invocation), invocation


def test_every_interface_of_the_world_has_its_capability() -> None:
    assert {kind.interface for kind in CAPABILITIES} == set(IMPORTS)
    assert {kind.name for kind in gated()} == ALL_CAPABILITIES


@pytest.mark.parametrize(("kind", "function"), functions())
def test_every_denial_is_a_value_of_its_function(kind: type[Capability], function: str) -> None:
    assert fits(kind.denials[function], IMPORTS[kind.interface][function].result)


@pytest.mark.parametrize(("kind", "function"), functions())
def test_every_unoffered_answer_is_a_value_of_its_function(
    kind: type[Capability], function: str
) -> None:
    if issubclass(kind, Unoffered):
        assert fits(kind.failures[function], IMPORTS[kind.interface][function].result)


@pytest.mark.parametrize(("kind", "function"), [pair for pair in functions() if pair[0].name])
async def test_what_is_not_granted_is_denied_and_counted(
    table: CapabilityTable, kind: type[Capability], function: str
) -> None:
    host, invocation = host_of(table, *(ALL_CAPABILITIES - {kind.name}))

    assert host.call(kind.interface, function, ()) == kind.denials[function]
    assert invocation.denied_calls == {kind.name: 1}
    assert invocation.host_calls == 1


@pytest.mark.parametrize(
    ("name", "interface", "function", "denial"),
    [
        (UI_PROXY, "ui-proxy", "call-route", Err("denied")),
        (HTTP_FETCH, "http", "fetch", Err("not-allowed")),
        (STORAGE_KV, "storage", "put", Err("denied")),
        (
            SCHEDULER_MANAGE,
            "scheduler",
            "delete-schedule",
            {
                "success": False,
                "error": "Permission denied: cap:scheduler.manage not granted",
            },
        ),
    ],
)
async def test_denials_are_in_the_words_that_guests_know(
    table: CapabilityTable, name: str, interface: str, function: str, denial: Value
) -> None:
    host, _ = host_of(table, *(ALL_CAPABILITIES - {name}))

    assert host.call(f"alga:extension/{interface}", function, ()) == denial


async def test_the_context_alone(table: CapabilityTable) -> None:
    host, _ = host_of(table, CONTEXT_READ)

    assert host.call("alga:extension/context", "get-context", ()) == {
        "request-id": "request-1",
        "tenant-id": str(UUID(int=1)),
        "extension-id": str(UUID(int=3)),
        "install-id": str(UUID(int=2)),
        "version-id": str(UUID(int=4)),
    }


async def test_logging_alone(table: CapabilityTable) -> None:
    host, invocation = host_of(table, LOG_EMIT)
    for function in ("log-info", "log-warn", "log-error"):
        assert host.call("alga:extension/logging", function, (function,)) is None

    assert [(line.level, line.message) for line in invocation.log.lines()] == [
        ("info", "log-info"),
        ("warn", "log-warn"),
        ("error", "log-error"),
    ]


async def test_a_denied_line_is_not_kept(table: CapabilityTable) -> None:
    host, invocation = host_of(table)
    host.call("alga:extension/logging", "log-info", ("unheard",))

    assert invocation.log.lines() == ()


async def test_the_user_in_both_shapes(table: CapabilityTable) -> None:
    host, _ = host_of(table, USER_READ)
    first = host.call("alga:extension/user", "get-user", ())
    second = host.call("alga:extension/user-v2", "get-user", ())

    assert isinstance(first, Ok)
    assert isinstance(second, Ok)
    assert fits(first, IMPORTS["alga:extension/user"]["get-user"].result)
    assert fits(second, IMPORTS["alga:extension/user-v2"]["get-user"].result)
    assert first.value == {
        "tenant-id": str(UUID(int=1)),
        "client-name": "Acme",
        "user-id": "u-1",
        "user-email": "alice@example.com",
        "user-name": "Alice",
        "user-type": "client",
    }
    assert second.value == {**first.value, "client-id": "c-1", "additional-fields": []}


@pytest.mark.parametrize("interface", ["alga:extension/user", "alga:extension/user-v2"])
async def test_a_call_by_nobody_has_no_user(table: CapabilityTable, interface: str) -> None:
    host = table.host_of(invocation_of(grant_of(USER_READ)))

    assert host.call(interface, "get-user", ()) == Err("not-available")


async def test_config_is_text_whatever_its_json(table: CapabilityTable) -> None:
    config = '{"name":"value","count":3,"on":true,"list":[1,"é"],"nothing":null}'
    host = table.host_of(invocation_of(grant_of(), config_json=config))
    store = "wasi:config/store@0.2.0-rc.1"

    assert host.call(store, "get", ("name",)) == Ok("value")
    assert host.call(store, "get", ("absent",)) == Ok(None)
    everything = host.call(store, "get-all", ())
    assert everything == Ok(
        [
            ("name", "value"),
            ("count", "3"),
            ("on", "true"),
            ("list", '[1,"é"]'),
            ("nothing", "null"),
        ]
    )
    assert fits(everything, IMPORTS[store]["get-all"].result)


@pytest.mark.parametrize("config", ["", "[]", "{", "[" * 60_000])
async def test_a_config_that_is_no_object_is_an_error_not_a_crash(
    table: CapabilityTable, config: str
) -> None:
    host = table.host_of(invocation_of(grant_of(), config_json=config))
    answer = host.call("wasi:config/store@0.2.0-rc.1", "get", ("name",))

    assert isinstance(answer, Err)
    assert fits(answer, IMPORTS["wasi:config/store@0.2.0-rc.1"]["get"].result)


async def test_storage_alone(table: CapabilityTable) -> None:
    host, _ = host_of(table, STORAGE_KV)

    def call(function: str, *arguments: Value) -> Value:
        answer = host.call("alga:extension/storage", function, arguments)
        assert fits(answer, IMPORTS["alga:extension/storage"][function].result)
        return answer

    def entry(value: bytes, revision: int | None) -> dict[str, Value]:
        return {"namespace": "notes", "key": "a", "value": value, "revision": revision}

    def guest() -> None:
        assert call("get", "notes", "a") == Err("missing")
        assert call("put", entry(b"1", None)) == Ok(entry(b"1", 1))
        assert call("put", entry(b"2", 0)) == Err("conflict")
        assert call("put", entry(b"2", 1)) == Ok(entry(b"2", 2))
        assert call("get", "notes", "a") == Ok(entry(b"2", 2))
        assert call("list-entries", "notes", None) == Ok([entry(b"2", 2)])
        assert call("list-entries", "notes", "a") == Ok([])
        assert call("put", entry(b"\0" * 65_537, None)) == Err("internal")
        assert call("get", "n" * 129, "a") == Err("internal")
        assert call("delete", "notes", "a") == Ok(None)
        assert call("delete", "notes", "a") == Err("conflict")

    await asyncio.to_thread(guest)


async def test_a_guest_whose_time_is_up_ends_in_its_host_call() -> None:
    class Slow(MemoryStorage):
        async def get(self, invocation: Invocation, namespace: str, key: str) -> StoredEntry:
            await asyncio.sleep(60)
            return await super().get(invocation, namespace, key)

    clock = SystemClock()
    bridge = LoopBridge(loop=asyncio.get_running_loop(), clock=clock)
    table = CapabilityTable(Backends(bridge=bridge, storage=Slow(), secrets=MemorySecrets()))
    invocation = invocation_of(grant_of(STORAGE_KV), ends_at=clock.monotonic() + 0.1)
    host = table.host_of(invocation)

    with pytest.raises(GuestTimedOutError):
        await asyncio.to_thread(host.call, "alga:extension/storage", "get", ("notes", "a"))


async def test_a_guest_may_not_call_its_host_for_ever(table: CapabilityTable) -> None:
    host, invocation = host_of(table, LOG_EMIT)
    invocation.host_calls = MAX_HOST_CALLS

    with pytest.raises(GuestTrappedError):
        host.call("alga:extension/logging", "log-info", ("once more",))
