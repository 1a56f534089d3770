"""`python -m gateway_shim`: reads the settings, and runs a gateway until it is told to stop."""

import asyncio
import os
import signal
import sys

import structlog
import uvloop

from gateway_shim.bootstrap import running
from gateway_shim.settings import GatewaySettings
from shared.settings import SettingsInvalidError
from shared.telemetry.logs import configure_logs

EXIT_SETTINGS = 2
EXIT_FAILED = 1


def main() -> None:
    """Runs the gateway; exits 0 after SIGTERM or SIGINT, 2 on settings that cannot be used."""
    try:
        settings = GatewaySettings.from_environment(os.environ)
    except SettingsInvalidError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_SETTINGS)
    configure_logs(service="gateway", level=settings.log_level)
    try:
        uvloop.run(_serve(settings))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The gateway cannot start: {error}\n")
        sys.exit(EXIT_FAILED)


async def _serve(settings: GatewaySettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = structlog.get_logger(__name__)
    async with running(settings) as gateway:
        log.info("gateway is listening", url=gateway.url)
        await stop.wait()
        log.info("gateway is stopping")


if __name__ == "__main__":
    main()
