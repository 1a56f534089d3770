import pytest
from wasmtime import wat2wasm

from runner_service.abi.world import HANDLER
from runner_service.engine import CompiledComponent, Engine
from runner_service.engine.invocation import MAX_OUTPUT_BYTES
from shared.errors import GuestTrappedError
from tests.fixtures.guests.answers import Answers, limits, request
from tests.fixtures.guests.assembly import LIBC, lifted_export


def component(imports: str, core_imports: str, body: str, data: str = "") -> bytes:
    """A guest that does `body` and answers an empty 200."""
    handler = lifted_export("handler", HANDLER, core='(core func $main "handler")')
    return bytes(
        wat2wasm(f"""(component {LIBC} {imports}
          (core module $m (import "libc" "memory" (memory 2)) {core_imports} {data}
            (func (export "handler") (param i32) (result i32)
              {body}
              (i32.store16 (i32.const 512) (i32.const 200))
              (i32.const 512)))
          (core instance $main (instantiate $m (with "libc" (instance $libc))
            (with "host" (instance $host))))
          {handler})""")
    )


STREAMS = """
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $s (sub resource)))
    (alias outer 1 $error (type $e)) (export "error" (type $error' (eq $e)))
    (type $v (variant (case "last-operation-failed" (own $error')) (case "closed")))
    (export "stream-error" (type $failure (eq $v)))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $s)) (param "contents" (list u8)) (result (result (error $failure)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream (type $s)) (export "output-stream" (type $s' (eq $s)))
    (export "get-stdout" (func (result (own $s'))))))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $stream (type $s)) (export "output-stream" (type $s' (eq $s)))
    (export "get-stderr" (func (result (own $s'))))))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $memory)) (realloc (core func $realloc))))
  (core instance $host (export "stdout" (func $stdout)) (export "stderr" (func $stderr))
    (export "write" (func $write)))"""
STREAMS_CORE = """
  (import "host" "stdout" (func $stdout (result i32)))
  (import "host" "stderr" (func $stderr (result i32)))
  (import "host" "write" (func $write (param i32 i32 i32 i32)))"""
TEXT = r"""(data (i32.const 1024) "first\nsecond\n") (data (i32.const 1040) "boom\n  at x\n\n")"""


def writing(engine: Engine, body: str) -> CompiledComponent:
    return engine.compile(component(STREAMS, STREAMS_CORE, body, TEXT))


def test_stdout_and_stderr_are_kept_apart_by_line(engine: Engine) -> None:
    guest = writing(
        engine,
        """(call $write (call $stdout) (i32.const 1024) (i32.const 13) (i32.const 600))
           (call $write (call $stderr) (i32.const 1040) (i32.const 13) (i32.const 600))""",
    )
    assert guest.uses_wasi
    for _ in range(2):
        run = engine.run(guest, request("/"), Answers(), limits())
        assert run.response is not None
        assert run.stdout == ("first", "second")
        assert run.stderr == ("boom", "  at x", "")
        assert run.dropped_output_bytes == 0


def test_a_crash_shows_the_last_line_of_stderr(engine: Engine) -> None:
    guest = writing(
        engine,
        "(call $write (call $stderr) (i32.const 1040) (i32.const 13) (i32.const 600)) unreachable",
    )
    run = engine.run(guest, request("/"), Answers(), limits())
    assert isinstance(run.failure, GuestTrappedError)
    assert run.failure.message.endswith("its last line on stderr: at x")


def test_a_flood_of_output_is_cut_and_counted(engine: Engine) -> None:
    guest = writing(
        engine,
        """(loop $more
             (call $write (call $stdout) (i32.const 2048) (i32.const 4096) (i32.const 600))
             (i32.store (i32.const 700) (i32.add (i32.load (i32.const 700)) (i32.const 1)))
             (br_if $more (i32.lt_u (i32.load (i32.const 700)) (i32.const 100))))""",
    )
    run = engine.run(guest, request("/"), Answers(), limits())
    assert run.response is not None
    assert sum(map(len, run.stdout)) == MAX_OUTPUT_BYTES
    assert run.dropped_output_bytes == 100 * 4096 - MAX_OUTPUT_BYTES


@pytest.mark.parametrize("version", ["0.2.0", "0.2.3", "0.2.12"])
@pytest.mark.parametrize("timer", ["subscribe-duration", "subscribe-instant"])
def test_a_guest_cannot_sleep(engine: Engine, timer: str, version: str) -> None:
    imports = f"""
      (import "wasi:io/poll@{version}" (instance $poll (export "pollable" (type (sub resource)))
        ))
      (alias export $poll "pollable" (type $pollable))
      (import "wasi:clocks/monotonic-clock@{version}" (instance $clock
        (alias outer 1 $pollable (type $p)) (export "pollable" (type $p' (eq $p)))
        (export "{timer}" (func (param "when" u64) (result (own $p'))))))
      (core func $timer (canon lower (func $clock "{timer}")))
      (core instance $host (export "timer" (func $timer)))"""
    core = '(import "host" "timer" (func $timer (param i64) (result i32)))'
    guest = engine.compile(component(imports, core, "(drop (call $timer (i64.const 1)))"))
    run = engine.run(guest, request("/"), Answers(), limits())
    assert isinstance(run.failure, GuestTrappedError)
    assert "timer" in run.failure.message


def test_a_guest_that_exits_is_a_crash_with_its_status(engine: Engine) -> None:
    imports = """
      (import "wasi:cli/exit@0.2.0" (instance $exit
        (export "exit" (func (param "status" (result))))))
      (core func $leave (canon lower (func $exit "exit")))
      (core instance $host (export "exit" (func $leave)))"""
    core = '(import "host" "exit" (func $exit (param i32)))'
    guest = engine.compile(component(imports, core, "(call $exit (i32.const 1))"))
    run = engine.run(guest, request("/"), Answers(), limits())
    assert isinstance(run.failure, GuestTrappedError)
    assert "exited with status 1" in run.failure.message


def test_a_guest_has_no_environment(engine: Engine) -> None:
    imports = """
      (import "wasi:cli/environment@0.2.0" (instance $env
        (export "get-environment" (func (result (list (tuple string string)))))
        (export "get-arguments" (func (result (list string))))))
      (core func $environment (canon lower (func $env "get-environment")
        (memory (core memory $memory)) (realloc (core func $realloc))))
      (core func $arguments (canon lower (func $env "get-arguments")
        (memory (core memory $memory)) (realloc (core func $realloc))))
      (core instance $host (export "environment" (func $environment))
        (export "arguments" (func $arguments)))"""
    core = """(import "host" "environment" (func $environment (param i32)))
              (import "host" "arguments" (func $arguments (param i32)))"""
    body = """(call $environment (i32.const 600)) (call $arguments (i32.const 608))
      (if (i32.or (i32.load (i32.const 604)) (i32.load (i32.const 612))) (then unreachable))"""
    run = engine.run(
        engine.compile(component(imports, core, body)), request("/"), Answers(), limits()
    )
    assert run.response is not None
