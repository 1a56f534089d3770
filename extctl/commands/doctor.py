"""`extctl doctor`: is everything that the stack needs as it must be?"""

import asyncio
import os
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
    check_port,
    check_postgres,
    check_settings,
    check_stack,
    check_store,
    check_trust_bundle,
)
from extctl.console import Console, plain
from extctl.dev_stack.publisher import TRUST_BUNDLE_NAME
from extctl.failures import CommandError, ExitCode
from extctl.options import DEFAULT_STACK, AsJson, BundleStoreUrl, Postgres, Stack
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
    postgres: Postgres = None,
    bundle_store: BundleStoreUrl = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Check settings, database, store, keys and ports; say what to do; exit with 1 on a fault."""
    findings = [
        check_machine(),
        check_settings(os.environ),
        check_postgres(postgres),
        check_data_directory(stack.absolute()),
        *([check_port(gateway_port)] if gateway_port else []),
        *([asyncio.run(check_store(bundle_store))] if bundle_store else []),
        *_examine(stack),
    ]
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


def _examine(directory: Path) -> Sequence[Finding]:
    """What is to be said of the stack in `directory`, running or not."""
    if not (directory / STACK_FILE).exists():
        hint = f"`extctl up --data {directory}` starts one."
        none_runs = Finding("stack", Verdict.WARNING, f"none runs in {directory}", hint)
        return [*_leftovers(directory), none_runs]
    try:
        stack = read_stack_file(directory)
    except CommandError as error:
        return [Finding("stack", Verdict.FAILED, error.message, error.hint)]
    running = Finding("stack", Verdict.OK, str(directory / STACK_FILE))
    return [running, *asyncio.run(_all(check_stack(stack)))]


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
