"""`extctl demo`: the main job on a stack of its own, from a key to the execution log."""

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import extctl
from extctl.bundling import CheckedBundle
from extctl.client import registry_client
from extctl.commands.executions import COLUMNS, row_of
from extctl.commands.token import mint_for
from extctl.commands.up import addresses
from extctl.console import Console, facts, table_of
from extctl.demo.steps import STEPS
from extctl.demo.story import Story, load_example, new_tenant
from extctl.dev_stack.postgres_home import NOTE_NAME
from extctl.dev_stack.publisher import make_trust_bundle
from extctl.dev_stack.stack import StackOptions, running_stack
from extctl.failures import ExitCode
from extctl.gateway_client import gateway_client
from extctl.interruption import run_until_interrupted
from extctl.options import AsJson
from extctl.records import as_data
from extctl.stack_file import StackFile
from extctl.user_token import UserClaims
from shared.clock import SystemClock

EXAMPLE = Path(extctl.__file__).parents[1] / "examples" / "agreements"


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Exit when everything was shown, instead of staying up.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Keep the stack there; else it is temporary."),
    ] = None,
    example: Annotated[
        Path, typer.Option("--example", metavar="DIR", help="Another extension to show.")
    ] = EXAMPLE,
    as_json: AsJson = False,
) -> None:
    """Publish, install and call a real extension; exit with an error unless all is as stated."""
    console = Console(as_json=as_json)
    run = _Run(console=console, example=load_example(example), example_dir=example, once=once)
    with _directory(data, console) as directory:
        interrupted = run_until_interrupted(run.show(directory))
    if interrupted and not run.shown:
        raise typer.Exit(ExitCode.INTERRUPTED)


class _Run:
    """One run of the demo, told as it goes."""

    def __init__(
        self, *, console: Console, example: CheckedBundle, example_dir: Path, once: bool
    ) -> None:
        self._console = console
        self._example = example
        self._example_dir = example_dir
        self._once = once
        self._told: list[dict[str, object]] = []
        self.shown = False

    async def show(self, directory: Path) -> None:
        """Runs all steps, prints the addresses, and stays up unless it is to end."""
        publisher = self._example.manifest.publisher
        with self._step("Make a publisher key and put it in the trust bundle") as details:
            made = make_trust_bundle(directory, publishers=(publisher,))
            details.append(str(made.private_key))
            details.append(f'{made.trust_bundle}: trusts it for "{publisher}"')
        options = StackOptions(directory=directory, environment=os.environ)
        async with running_stack(options, console=self._console) as stack:
            story = await self._run_steps(stack)
            self._conclude(stack, story)
            if not self._once:
                self._console.note("The stack stays up; Ctrl-C stops it.", style="bold green")
                await asyncio.Event().wait()

    async def _run_steps(self, stack: StackFile) -> Story:
        tenant_a, tenant_b = new_tenant(), new_tenant()
        async with (
            registry_client(stack, clock=SystemClock()) as registry,
            gateway_client(stack.gateway_url) as gateway,
        ):
            story = Story(
                example=self._example_dir, bundle=self._example, stack=stack,
                registry=registry, gateway=gateway, tenant_a=tenant_a, tenant_b=tenant_b,
                token_a=mint_for(stack, UserClaims(tenant_id=tenant_a, user_id="ada", name="Ada")),
                token_b=mint_for(stack, UserClaims(tenant_id=tenant_b, user_id="bob", name="Bob")),
            )  # fmt: skip
            for title, step in STEPS:
                with self._step(title) as details:
                    details.extend(await step(story))
        return story

    @contextmanager
    def _step(self, title: str) -> Iterator[list[str]]:
        """Numbers, times and tells a step; its details follow it."""
        details: list[str] = []
        started = time.monotonic()
        number = len(self._told) + 1
        with self._console.step(f"{number}. {title}"):
            yield details
        for line in details:
            self._console.indent(line)
        took_ms = round((time.monotonic() - started) * 1000, 1)
        self._told.append({"step": title, "took_ms": took_ms, "details": details})

    def _conclude(self, stack: StackFile, story: Story) -> None:
        rows = story.executions_of_calls()
        self._console.indent(table_of(COLUMNS, [row_of(row) for row in rows]))
        self._console.result(
            {
                "steps": self._told,
                "executions": [as_data(row) for row in rows],
                "stack": stack.model_dump(mode="json"),
            },
            facts({**addresses(stack), **({} if self._once else {"try": _curl(stack, story)})}),
        )
        self.shown = True


def _curl(stack: StackFile, story: Story) -> str:
    url = f"{stack.gateway_url}{story.base}/agreements"
    return f"curl -H 'authorization: Bearer {story.token_a}' {url}"


@contextmanager
def _directory(data: Path | None, console: Console) -> Iterator[Path]:
    """The given directory, or a temporary one that is removed unless the demo failed."""
    if data is not None:
        yield data
        return
    directory = Path(tempfile.mkdtemp(prefix="extension-demo-"))
    try:
        yield directory
    except BaseException:
        console.note(f"The demo's directory is kept, with its logs: {directory}")
        raise
    _remove(directory)


def _remove(directory: Path) -> None:
    clusters: Sequence[Path] = []
    note = directory / "postgres" / NOTE_NAME
    if note.exists():  # the cluster may lie elsewhere, where PostgreSQL's account reaches it
        clusters = [Path(json.loads(note.read_text())["cluster"]).parent]
    for path in (*clusters, directory):
        shutil.rmtree(path, ignore_errors=True)
