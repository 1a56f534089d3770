"""Long-running commands and the signals that end them."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_interrupted(work: Coroutine[object, object, None]) -> bool:
    """Runs `work` to its end, or until a signal asks to stop.

    Signals cancel the work once, so that it can put everything away; further ones are ignored
    meanwhile.

    Returns:
        Whether it was interrupted.
    """
    return asyncio.run(_run(work))


async def _run(work: Coroutine[object, object, None]) -> bool:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            task.cancel()

    for number in _ENDING:
        loop.add_signal_handler(number, interrupt)
    try:
        await task
    except asyncio.CancelledError:
        if not interrupted:
            raise
    finally:
        for number in _ENDING:
            loop.remove_signal_handler(number)
    return interrupted
