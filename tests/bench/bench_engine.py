"""What a call costs beside the guest's own work, and how that compares with the stock call path."""

import time
from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from wasmtime import Config, Store
from wasmtime import Engine as WasmtimeEngine
from wasmtime.component import Component, Linker, Record

from runner_service.abi.values import GuestRequest
from runner_service.engine import Engine
from tests.fixtures.guests.answers import Answers, limits
from tests.fixtures.guests.assembly import assemble

HEADERS = (("accept", "*/*"), ("user-agent", "bench"))
HELLO = """(module
  (data (i32.const 64) "hello")
  (import "libc" "memory" (memory 2))
  (func (export "handler") (param $request i32) (result i32)
    (i32.store16 (i32.const 512) (i32.const 200))
    (i32.store8 offset=12 (i32.const 512) (i32.load8_u offset=76 (local.get $request)))
    (i32.store offset=16 (i32.const 512) (i32.load offset=80 (local.get $request)))
    (i32.store offset=20 (i32.const 512) (i32.load offset=84 (local.get $request)))
    (i32.const 512)))"""


def ours(engine: Engine, body: bytes | None) -> Callable[[], object]:
    guest, host, bounds = engine.compile(assemble(HELLO)), Answers(), limits()
    request = GuestRequest(
        tenant_id="tenant",
        extension_id="extension",
        request_id="request",
        install_id="install",
        version_id="version",
        method="POST",
        url="/hello",
        headers=HEADERS,
        body=body,
    )

    def call() -> object:
        run = engine.run(guest, request, host, bounds)
        assert run.response is not None
        assert run.response.body == body
        return run

    return call


def stock(body: bytes | None) -> Callable[[], object]:
    config = Config()
    config.epoch_interruption = True
    engine = WasmtimeEngine(config)
    component, linker = Component(engine, assemble(HELLO)), Linker(engine)
    names = ("tenant-id", "extension-id", "request-id", "install-id", "version-id")
    context = _record(**dict.fromkeys(names, "value"))
    headers = [_record(name=name, value=value) for name, value in HEADERS]
    http = _record(method="POST", url="/hello", headers=headers, body=body)

    def call() -> object:
        store = Store(engine)
        store.set_limits(memory_size=16 << 20)
        store.set_epoch_deadline(1000)
        instance = linker.instantiate(store, component)
        handler = instance.get_func(store, "handler")
        assert handler is not None
        response = handler(store, _record(context=context, http=http))
        assert response.body == body
        return response

    return call


@pytest.mark.parametrize("size", [0, 1 << 10, 16 << 10])
def test_a_call(engine: Engine, benchmark: BenchmarkFixture, size: int) -> None:
    benchmark(ours(engine, bytes(size) or None))


@pytest.mark.parametrize("size", [0, 1 << 10, 16 << 10])
def test_a_stock_call(benchmark: BenchmarkFixture, size: int) -> None:
    benchmark(stock(bytes(size) or None))


@pytest.mark.parametrize(("size", "at_least"), [(0, 4), (16 << 10, 5)])
def test_a_call_is_several_times_faster_than_a_stock_call(
    engine: Engine, benchmark: BenchmarkFixture, size: int, at_least: float
) -> None:
    fast, slow = ours(engine, bytes(size) or None), stock(bytes(size) or None)
    ratio = _best(slow) / _best(fast)
    benchmark.extra_info["times faster than the stock call"] = round(ratio, 1)
    benchmark(fast)
    assert ratio > at_least


def _best(call: Callable[[], object]) -> float:
    times = []
    for _ in range(30):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _record(**fields: object) -> Record:
    record = Record()
    for name, value in fields.items():
        setattr(record, name, value)
    return record
