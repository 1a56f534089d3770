"""The command line: which commands there are, and in which order help lists them."""

import typer

from extctl.commands.call import call
from extctl.commands.catalogue import audit, search
from extctl.commands.checks import checks
from extctl.commands.demo import demo
from extctl.commands.doctor import doctor
from extctl.commands.executions import executions
from extctl.commands.gc import gc
from extctl.commands.install_settings import config, egress
from extctl.commands.installs import disable, enable, install, installs
from extctl.commands.life_cycle import deprecate, quarantine, receipt, undeprecate, unyank, yank
from extctl.commands.manifest import MANIFEST
from extctl.commands.policy import policy
from extctl.commands.publish import publish
from extctl.commands.publisher import PUBLISHER
from extctl.commands.records import RECORDS
from extctl.commands.sbom import SBOM
from extctl.commands.secrets import SECRETS
from extctl.commands.signing import keygen, pack, sign
from extctl.commands.token import token
from extctl.commands.trust import TRUST
from extctl.commands.uninstall import uninstall
from extctl.commands.up import up
from extctl.commands.updates import history, plan, rollback, update
from extctl.commands.verify import verify
from extctl.commands.watch import watch

HELP = """Run, publish, install and call extensions.

Commands that talk to a stack find it through --stack DIR or EXTCTL_STACK (default: ./.stack).

Exit codes: 0 done, 1 refused, 2 wrong command line, 3 something does not answer, 70 a bug in
extctl, 130 interrupted.
"""

PANELS = {
    "The stack": (up, demo, doctor, gc),
    "Publishing": (keygen, pack, sign, verify, publish, checks),
    "Tenants": (
        plan,
        install,
        installs,
        update,
        rollback,
        history,
        enable,
        disable,
        uninstall,
        config,
        egress,
        watch,
        policy,
    ),
    "The catalogue": (search, deprecate, undeprecate, yank, unyank, quarantine, receipt, audit),
    "Calling": (token, call, executions),
}
GROUPS = {"Publishing": (MANIFEST, PUBLISHER, SBOM, TRUST), "Tenants": (SECRETS, RECORDS)}


def build_app() -> typer.Typer:
    """The application; building it reads nothing and starts nothing."""
    app = typer.Typer(
        name="extctl",
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def extctl(
        *,
        debug: bool = typer.Option(False, "--debug", help="Show the traceback of a bug in extctl."),
    ) -> None:
        pass

    extctl.__doc__ = HELP
    for panel, groups in GROUPS.items():
        for group in groups:
            app.add_typer(group.build(), rich_help_panel=panel)
    for panel, commands in PANELS.items():
        for command in commands:
            app.command(rich_help_panel=panel)(command)
    return app
