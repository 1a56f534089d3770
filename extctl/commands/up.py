"""`extctl up`: the whole platform on this machine."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from extctl.console import Console, facts
from extctl.dev_stack.stack import MAX_RUNNERS, StackOptions, running_stack
from extctl.interruption import run_until_interrupted
from extctl.options import DEFAULT_STACK, AsJson, BundleStoreUrl, Postgres
from extctl.stack_file import StackFile

Data = Annotated[
    Path,
    typer.Option("--data", envvar="EXTCTL_STACK", metavar="DIR", help="Where the stack lives."),
]
Runners = Annotated[
    int, typer.Option("--runners", min=1, max=MAX_RUNNERS, help="How many runners to start.")
]
GatewayPort = Annotated[
    int | None,
    typer.Option("--gateway-port", min=1, max=65535, help="The gateway's port; any free one else."),
]


def up(
    *,
    data: Data = DEFAULT_STACK,
    runners: Runners = 2,
    postgres: Postgres = None,
    bundle_store: BundleStoreUrl = None,
    gateway_port: GatewayPort = None,
    as_json: AsJson = False,
) -> None:
    """Start PostgreSQL, the registry, runners and the gateway, and stay until Ctrl-C.

    Everything listens on the loopback interface only. When all parts are ready, DIR/stack.json
    tells the other commands where they are.
    """
    console = Console(as_json=as_json)
    options = StackOptions(
        directory=data,
        runners=runners,
        postgres=postgres,
        bundle_store_url=bundle_store,
        gateway_port=gateway_port,
        environment=os.environ,
    )
    run_until_interrupted(_stay_up(options, console))


async def _stay_up(options: StackOptions, console: Console) -> None:
    async with running_stack(options, console=console) as stack:
        console.result(stack.model_dump(mode="json"), facts(addresses(stack)))
        console.note("The stack is up; Ctrl-C stops it.", style="bold green")
        await asyncio.Event().wait()


def addresses(stack: StackFile) -> dict[str, str]:
    """The addresses of a stack, for a person."""
    return {
        "gateway": stack.gateway_url,
        "health": f"{stack.gateway_url}/healthz\n{stack.gateway_url}/readyz",
        "metrics": "\n".join(f"{url}  {name}" for name, url in stack.metrics_urls.items()),
        "registry": stack.registry_target,
        "runners": "\n".join(stack.runner_targets),
        "logs": str(stack.log_dir),
    }
