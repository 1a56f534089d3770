"""The whole platform on this machine: started in order, ready when it says so, gone when it ends.

PostgreSQL → registry → runners → gateway; stopped in reverse, so that no part ever calls one that
is gone already.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from extctl.console import Console
from extctl.dev_stack.databases import embedded_database
from extctl.dev_stack.keys import make_keys
from extctl.dev_stack.ports import LOOPBACK, Ports, is_free
from extctl.dev_stack.postgres_home import EmbeddedPostgresError
from extctl.dev_stack.processes import ProcessFailedError, ProcessSpec, SupervisedProcess
from extctl.dev_stack.publisher import make_trust_bundle
from extctl.dev_stack.server_database import prepare_server
from extctl.dev_stack.services import (
    TOKEN_AUDIENCE,
    TOKEN_ISSUER,
    StackLayout,
    gateway_spec,
    registry_spec,
    runner_spec,
)
from extctl.failures import CommandError
from extctl.files import make_private_directory
from extctl.stack_file import STACK_FILE, StackFile, stack_lock, write_stack_file

MAX_RUNNERS: Final = 32
_HINT: Final = "`extctl doctor` checks what the stack needs."
_PORT_ATTEMPTS: Final = 3
_SEARCHABLE: Final = 0o711
"""Others may pass through the directory (PostgreSQL's account must), but not look into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """What `extctl up` was asked for."""

    directory: Path
    runners: int = 2
    postgres: str | None = None
    """A server's DSN with the right to create roles; None runs an embedded PostgreSQL."""
    bundle_store_url: str | None = None
    """None keeps bundles in the stack's directory."""
    gateway_port: int | None = None
    environment: Mapping[str, str]


@asynccontextmanager
async def running_stack(options: StackOptions, *, console: Console) -> AsyncIterator[StackFile]:
    """Runs the stack while the block lasts.

    Raises:
        CommandError: a part cannot be started; the message says which, and ends with its log.
    """
    if (port := options.gateway_port) and not is_free(port):
        raise CommandError(
            f"Port {port} is taken.", hint="Choose another --gateway-port, or leave it out."
        )
    directory = options.directory.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(_SEARCHABLE)
    except OSError as error:
        raise CommandError(f"{directory} cannot be made: {error.strerror}.") from None
    with stack_lock(directory):
        (directory / STACK_FILE).unlink(missing_ok=True)  # a killed stack leaves it behind
        parts = AsyncExitStack()
        try:
            file = await _start(options, directory, parts, console)
            write_stack_file(directory, file)
            parts.callback((directory / STACK_FILE).unlink, missing_ok=True)
            yield file
        except (ProcessFailedError, EmbeddedPostgresError) as error:
            raise CommandError(str(error), hint=_HINT) from None
        finally:
            with console.step("Stop the stack"):
                await parts.aclose()


async def _start(
    options: StackOptions, directory: Path, stack: AsyncExitStack, console: Console
) -> StackFile:
    starter = _Starter(stack=stack, console=console)
    with console.step("Make the keys"):
        keys = make_keys(directory / "keys", runners=options.runners)
        publisher = make_trust_bundle(directory)
    layout = StackLayout(
        directory=directory,
        keys=keys,
        trust_bundle=publisher.trust_bundle,
        bundle_store_url=options.bundle_store_url or (directory / "bundles").as_uri(),
        environment=options.environment,
    )
    make_private_directory(layout.log_dir)
    make_private_directory(directory / "cache")
    if options.postgres is None:
        with console.step("Start PostgreSQL"):
            embedded = embedded_database(directory / "postgres", tell=console.note)
            database = await stack.enter_async_context(embedded)
    else:
        with console.step("Reach PostgreSQL"):
            database = prepare_server(options.postgres, secrets_dir=directory / "keys")
    with console.step("Start the registry"):
        (registry,) = await starter.start(
            lambda ports: registry_spec(layout, ports, database=database)
        )
    with console.step(f"Start {options.runners} runner{'s'[: options.runners != 1]}"):
        runners = await starter.start(
            *(
                partial(runner_spec, layout, number=number, registry_target=_target(registry))
                for number in range(1, options.runners + 1)
            )
        )
    with console.step("Start the gateway"):
        (gateway,) = await starter.start(
            lambda ports: gateway_spec(
                layout,
                ports,
                port=options.gateway_port,
                registry_target=_target(registry),
                runner_targets=tuple(map(_target, runners)),
            )
        )
    gateway_url = f"http://{_target(gateway)}"
    return StackFile(
        pid=os.getpid(),
        gateway_url=gateway_url,
        registry_target=_target(registry),
        runner_targets=tuple(map(_target, runners)),
        metrics_urls={
            "gateway": f"{gateway_url}/metrics",
            **{spec.name: _metrics_url(spec) for spec in (registry, *runners)},
        },
        bundle_store_url=layout.bundle_store_url,
        operator_key_file=keys.operator,
        trust_bundle_file=publisher.trust_bundle,
        publisher_key_file=publisher.private_key,
        token_issuer=TOKEN_ISSUER,
        token_audience=TOKEN_AUDIENCE,
        token_key_file=keys.token_issuer,
        log_dir=layout.log_dir,
    )


def _target(spec: ProcessSpec) -> str:
    return f"{LOOPBACK}:{spec.ports[0]}"


def _metrics_url(spec: ProcessSpec) -> str:
    return f"http://{LOOPBACK}:{spec.ports[1]}/metrics"


class _Starter:
    """Starts processes on free ports; those started together are stopped together."""

    def __init__(self, *, stack: AsyncExitStack, console: Console) -> None:
        self._stack = stack
        self._console = console
        self._ports = Ports()

    async def start(self, *makes: Callable[[Ports], ProcessSpec]) -> tuple[ProcessSpec, ...]:
        """Starts what each of `makes` describes, at the same time.

        Raises:
            ProcessFailedError: one did not become ready; the others are stopped with the stack.
        """
        started: list[SupervisedProcess] = []
        self._stack.push_async_callback(_stop_all, started)
        results = await asyncio.gather(
            *(self._start_one(make, started) for make in makes), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return tuple(result for result in results if isinstance(result, ProcessSpec))

    async def _start_one(
        self, make: Callable[[Ports], ProcessSpec], started: list[SupervisedProcess]
    ) -> ProcessSpec:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            spec = make(self._ports)
            process = SupervisedProcess(spec=spec, tell=self._console.note)
            try:
                await process.start()
            except ProcessFailedError as error:
                port_was_taken = error.exited and not all(map(is_free, spec.ports))
                if attempt < _PORT_ATTEMPTS and port_was_taken:
                    continue
                raise
            started.append(process)
            return spec
        raise AssertionError("unreachable: the last attempt returns or raises")


async def _stop_all(processes: list[SupervisedProcess]) -> None:
    await asyncio.gather(*(process.stop() for process in processes))
