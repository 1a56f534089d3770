"""A runner contract in a process of its own, to be killed: `echo_runner.py LISTEN JWKS_FILE`."""

import asyncio
import sys
from pathlib import Path

from tests.fixtures.gateway import SteeredRunner, runner_serving
from tests.fixtures.tokens import ServiceKeys


async def main(listen: str, keys: ServiceKeys) -> None:
    runner = SteeredRunner()  # type: ignore[abstract]
    async with runner_serving(runner, keys, listen):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    file = Path(sys.argv[2])
    asyncio.run(main(sys.argv[1], ServiceKeys(file.parent, file.read_text())))
