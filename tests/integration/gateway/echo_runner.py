"""A runner contract in a process of its own, to be killed.

`python -m tests.integration.gateway.echo_runner LISTEN JWKS_FILE [hang | queue]`; one that hangs
says "called" and never answers; one that queues does so before its guest has started.
"""

import asyncio
import sys
from pathlib import Path

from shared.pb.runner.v1 import runner_service_pb2 as pb
from tests.fixtures.gateway import SteeredRunner, runner_serving
from tests.fixtures.tokens import ServiceKeys


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def hang(_request: pb.ExecuteRequest) -> pb.ExecuteResponse:
    say("called")
    await asyncio.Event().wait()
    raise AssertionError("nothing sets the event")


async def main(listen: str, keys: ServiceKeys, manner: str) -> None:
    runner = SteeredRunner(  # type: ignore[abstract]
        handle=hang if manner else None, says_when_it_starts=manner != "queue"
    )
    async with runner_serving(runner, keys, listen):
        say("ready")
        await asyncio.Event().wait()


if __name__ == "__main__":
    file = Path(sys.argv[2])
    keys = ServiceKeys(file.parent, file.read_text())
    asyncio.run(main(sys.argv[1], keys, "".join(sys.argv[3:])))
