"""`python -m registry_service [migrate | reseal]`.

A registry until SIGTERM or SIGINT; or its schema brought up to date; or all secrets sealed anew.
"""

import asyncio
import os
import signal
import sys

import structlog

from registry_service.bootstrap import running
from registry_service.postgres.connecting import DatabaseUnreachableError
from registry_service.postgres.migrate import MigrationError, migrate
from registry_service.sealing import reseal
from registry_service.secrets_settings import ResealSettings
from registry_service.settings import MigrationSettings, RegistrySettings
from shared.clock import SystemClock
from shared.errors import ExtensionError
from shared.settings import SettingsInvalidError
from shared.telemetry.logs import configure_logs

EXIT_FAILED = 1
EXIT_USAGE = 2
USAGE = "usage: python -m registry_service [migrate | reseal]\n"

_log = structlog.get_logger(__name__)


async def _serve(settings: RegistrySettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings):
        await stop.wait()
    _log.info("registry stopped")


async def _migrate(settings: MigrationSettings) -> None:
    applied = await migrate(settings.migration_database_url.get_secret_value())
    sys.stdout.write("".join(f"applied {name}\n" for name in applied) or "nothing to apply\n")


async def _reseal(settings: ResealSettings) -> None:
    done = await reseal(settings, SystemClock())
    sys.stdout.write(
        f"sealed anew: {done.resealed}, current already: {done.current}, failed: {done.failed}\n"
    )
    if done.failed:
        sys.exit(EXIT_FAILED)  # their keys are still needed


def main() -> None:
    """Runs a registry; exits with 2 when settings or usage are wrong, with 1 when it cannot."""
    try:
        match sys.argv[1:]:
            case []:
                settings = RegistrySettings.from_environment(os.environ)
                configure_logs(service="registry", level=settings.log_level)
                asyncio.run(_serve(settings))
            case ["migrate"]:
                asyncio.run(_migrate(MigrationSettings.from_environment(os.environ)))
            case ["reseal"]:
                configure_logs(service="registry")
                asyncio.run(_reseal(ResealSettings.from_environment(os.environ)))
            case _:
                sys.stderr.write(USAGE)
                sys.exit(EXIT_USAGE)
    except SettingsInvalidError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_USAGE)
    except (ExtensionError, MigrationError, DatabaseUnreachableError, OSError) as error:
        sys.stderr.write(f"The registry cannot start: {error}\n")
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
