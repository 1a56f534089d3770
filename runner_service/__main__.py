"""`python -m runner_service`: a runner, until SIGTERM or SIGINT."""

import asyncio
import os
import signal
import sys

import structlog

from runner_service.bootstrap import running
from runner_service.settings import RunnerSettings
from shared.errors import ExtensionError
from shared.settings import SettingsInvalidError
from shared.telemetry.logs import configure_logs

EXIT_FAILED = 1
EXIT_SETTINGS = 2

_log = structlog.get_logger(__name__)


async def _serve(settings: RunnerSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings):
        await stop.wait()
    _log.info("runner stopped")


def main() -> None:
    """Runs a runner; exits with 2 when the settings are wrong, with 1 when it cannot start."""
    try:
        settings = RunnerSettings.from_environment(os.environ)
        configure_logs(service="runner", level=settings.log_level)
        asyncio.run(_serve(settings))
    except SettingsInvalidError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_SETTINGS)
    except (ExtensionError, OSError) as error:
        sys.stderr.write(f"The runner cannot start: {error}\n")
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
