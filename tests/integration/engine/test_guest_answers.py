import pytest

from runner_service.abi.values import Err, GuestRequest, Ok, Value
from runner_service.engine import CompiledComponent, Engine, GuestRun
from shared.errors import ExtensionError, InternalError, RegistryUnavailableError
from tests.fixtures.guests.answers import Answers, limits, request

NOTE: Value = {"namespace": "notes", "key": "first", "value": b"hello", "revision": 3}


def body_of(run: GuestRun) -> bytes | None:
    assert run.failure is None
    assert run.response is not None
    return run.response.body


@pytest.mark.parametrize("body", [None, b"", b"x", bytes(range(256)) * 300])
def test_a_body_comes_back_as_it_went(
    engine: Engine, scenarios: CompiledComponent, body: bytes | None
) -> None:
    run = engine.run(scenarios, request("/e", body), Answers(), limits())
    assert body_of(run) == body


def test_headers_come_back_in_order_with_duplicates(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    headers = (("accept", "*/*"), ("x-a", "1"), ("x-a", "2"), ("x-empty", ""), ("x-tab", "a\tb"))
    run = engine.run(scenarios, request("/e", headers=headers), Answers(), limits())
    assert run.response is not None
    assert run.response.headers == headers


def test_text_beyond_ascii_reaches_the_guest_as_utf_8(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    run = engine.run(scenarios, request("/u/grüße/\U0001f980"), Answers(), limits())
    assert body_of(run) == "/u/grüße/\U0001f980".encode()


def test_a_request_larger_than_the_arena_is_encoded_all_the_same(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    headers = tuple((f"x-{number}", "v" * 900) for number in range(60))
    run = engine.run(scenarios, request("/e" + "z" * 40_000, headers=headers), Answers(), limits())
    assert run.response is not None
    assert run.response.headers == headers


@pytest.mark.parametrize("status", [200, 204, 404, 599])
def test_every_final_status_passes(
    engine: Engine, scenarios: CompiledComponent, status: int
) -> None:
    run = engine.run(scenarios, request(f"/s={status}"), Answers(), limits())
    assert run.response is not None
    assert run.response.status == status


def test_a_guest_reads_its_context(engine: Engine, scenarios: CompiledComponent) -> None:
    context: Value = {
        "request-id": None,
        "tenant-id": "tenant-7",
        "extension-id": "extension",
        "install-id": "install",
        "version-id": None,
    }
    host = Answers({"context.get-context": context})
    assert body_of(engine.run(scenarios, request("/x"), host, limits())) == b"tenant-7"


def test_a_guest_reads_a_stored_record(engine: Engine, scenarios: CompiledComponent) -> None:
    host = Answers({"storage.get": Ok(NOTE)})
    assert body_of(engine.run(scenarios, request("/n"), host, limits())) == b"hello"
    assert host.calls == [("storage.get", ("notes", "first"))]


@pytest.mark.parametrize(
    ("error", "status"), [("missing", 404), ("conflict", 405), ("denied", 406), ("internal", 407)]
)
def test_a_guest_sees_which_error_the_host_answered(
    engine: Engine, scenarios: CompiledComponent, error: str, status: int
) -> None:
    run = engine.run(scenarios, request("/n"), Answers({"storage.get": Err(error)}), limits())
    assert run.response is not None
    assert run.response.status == status


def test_a_guest_reads_the_config_of_its_install(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    host = Answers({"store.get": lambda key: Ok(f"{key}: hello")})
    assert body_of(engine.run(scenarios, request("/y"), host, limits())) == b"greeting: hello"


def test_log_lines_reach_the_host(engine: Engine, scenarios: CompiledComponent) -> None:
    host = Answers({"logging.log-info": None})
    assert body_of(engine.run(scenarios, request("/l=3"), host, limits())) is not None
    assert host.calls == [("logging.log-info", ("application/json",))] * 3


def test_usage_is_measured(engine: Engine, scenarios: CompiledComponent) -> None:
    run = engine.run(scenarios, request("/i"), Answers(), limits(timeout_ms=50))
    assert run.guest_us >= 25_000
    assert engine.run(scenarios, request("/s=200"), Answers(), limits()).guest_us < 25_000


def test_no_state_is_left_for_the_next_request(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    first = engine.run(scenarios, request("/b=3000", b"secret" * 500), Answers(), limits())
    again = engine.run(scenarios, request("/b=3000"), Answers(), limits())
    assert body_of(first) == body_of(again) == bytes(3000)


def test_an_error_of_the_platform_in_a_host_function_is_raised_as_it_is(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    def unavailable(*_: Value) -> Value:
        raise RegistryUnavailableError

    with pytest.raises(RegistryUnavailableError):
        engine.run(scenarios, request("/n"), Answers({"storage.get": unavailable}), limits())


@pytest.mark.parametrize(
    "answer",
    [
        lambda *_: 1 / 0,
        "not a result",
        Ok({"namespace": "notes"}),
        Ok({**NOTE, "revision": -1}),  # type: ignore[dict-item]
        Ok({**NOTE, "key": "\ud800"}),  # type: ignore[dict-item]
        Err("no such case"),
    ],
)
def test_a_fault_in_a_host_function_is_internal_and_says_nothing_of_values(
    engine: Engine, scenarios: CompiledComponent, answer: Value
) -> None:
    with pytest.raises(InternalError) as raised:
        engine.run(scenarios, request("/n"), Answers({"storage.get": answer}), limits())
    assert raised.value.message == "a host function failed"
    assert not isinstance(raised.value.__cause__, ExtensionError)
    assert run_again(engine, scenarios) == b"hello"


def run_again(engine: Engine, scenarios: CompiledComponent) -> bytes | None:
    host = Answers({"storage.get": Ok(NOTE)})
    return body_of(engine.run(scenarios, request("/n"), host, limits()))


def test_absent_parts_of_the_context_are_absent(
    engine: Engine, scenarios: CompiledComponent
) -> None:
    bare = GuestRequest(tenant_id="t", extension_id="e", method="GET", url="/u")
    whole = GuestRequest(
        tenant_id="t",
        extension_id="e",
        method="GET",
        url="/u",
        request_id="r",
        install_id="i",
        version_id="v",
    )
    for asked in (bare, whole):
        assert body_of(engine.run(scenarios, asked, Answers(), limits())) == b"/u"
