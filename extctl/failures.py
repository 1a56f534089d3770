"""What a command says when it cannot do what it was asked, and the exit code that goes with it.

A failure is a sentence about what was wrong and a hint about what to do; never a traceback.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from shared.errors import Code, ExtensionError, Fault


class ExitCode(IntEnum):
    """How `extctl` ends."""

    OK = 0
    REFUSED = 1
    """What was asked is not possible or not allowed."""
    USAGE = 2
    """The command line is wrong."""
    UNREACHABLE = 3
    """The stack, or a part of it, does not answer."""
    BUG = 70
    """extctl itself failed."""
    INTERRUPTED = 130


class CommandError(Exception):
    """A command failed for a reason that the user can act on."""

    def __init__(
        self, message: str, *, hint: str = "", exit_code: ExitCode = ExitCode.REFUSED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as it is shown."""

    reason: str
    message: str
    hint: str
    exit_code: ExitCode
    faults: tuple[Fault, ...] = field(default=())

    def as_json(self) -> Mapping[str, object]:
        """The shape that `--json` prints on standard error."""
        faults = [
            {"path": fault.path, "code": fault.code, "message": fault.message, "hint": fault.hint}
            for fault in self.faults
        ]
        return {
            "error": {
                "reason": self.reason,
                "message": self.message,
                "hint": self.hint,
                "faults": faults,
            }
        }


HINTS: Mapping[str, str] = {
    "UNAUTHENTICATED": "The registry does not know the operator key of this stack file; "
    "`extctl doctor` compares them.",
    "REGISTRY_UNAVAILABLE": "`extctl doctor` says which part does not answer.",
    "BUNDLE_STORE_UNAVAILABLE": "`extctl doctor` checks the bundle store.",
    "BUNDLE_UNTRUSTED": "Sign with a key of the trust bundle: `extctl keygen --trust` makes one, "
    "`extctl sign --key` uses it. A changed trust bundle is read again within 10 seconds.",
    "EXTENSION_VERSION_ALREADY_EXISTS": 'Versions never change. Raise "version" in manifest.json, '
    'or write it as "1.2.*" for the next patch, and publish again.',
    "REGISTRY_ENTRY_NOT_FOUND": "Extensions are named publisher.name; `extctl publish` creates "
    "what is missing.",
    "PUBLISHER_NOT_FOUND": "Register it with its first owner's key: `extctl publisher create NAME "
    "--owner-key PEM`.",
    "PUBLISHER_NOT_OWNED": "Name an owner's key with --owner-key; `extctl publisher show NAME` "
    "lists the owners.",
    "PUBLISHER_EXISTS": "`extctl publisher show NAME` lists its owners; one of them can add you.",
    "LAST_OWNER": "Add another owner first: `extctl publisher add-owner`.",
    "TRANSFER_NOT_FOUND": "An owner of the present publisher offers it: `extctl publisher offer`.",
    "VERSION_NOT_FOUND": "Publish that version first, or leave --version out for the latest one.",
    "INSTALL_NOT_FOUND": "Install it for this tenant first: `extctl install`.",
    "INSTALL_EXISTS": "Move the install to the other version with `extctl update`.",
    "CONSENT_REQUIRED": "Give --accept to grant what is missing, or --keep-grants to run the new "
    "version without it.",
    "PLAN_STALE": "Something changed since the plan was made: run the command again.",
    "REVISION_NOT_FOUND": "`extctl history` lists the revisions.",
    "EGRESS_RULE_INVALID": 'Name hosts, not addresses: --allow "GET https://api.example.com".',
    "VERSION_YANKED": "Choose another version, or leave --version out for the latest one.",
    "VERSION_QUARANTINED": "The operators say why; choose another version meanwhile.",
    "CAPABILITY_NOT_REQUESTED": "Grant only what the version's manifest lists in capabilities.",
    "CONFIG_INVALID": '--config takes one JSON object, such as \'{"greeting": "Hello"}\'.',
    "MANIFEST_INVALID": "Correct the manifest.json and run the command again.",
    "COMPONENT_INVALID": "Build dist/main.wasm as a component of the world alga:extension/runner; "
    "examples/agreements shows how.",
    "BUNDLE_INVALID": "Make the archive with `extctl pack`.",
    "SECRETS_UNAVAILABLE": "The registry's log says why; docs/operating.md how to set up what "
    "seals secrets.",
    "DEADLINE_EXCEEDED": "Try again; if it stays so, `extctl doctor` says what is slow or down.",
}

_UNREACHABLE = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}


def explain(error: CommandError | ExtensionError) -> Failure:
    """The failure that `error` is shown as."""
    if isinstance(error, CommandError):
        return Failure("", error.message, error.hint, error.exit_code)
    unreachable = error.code in _UNREACHABLE
    return Failure(
        reason=error.reason,
        message=error.message,
        hint=HINTS.get(error.reason, ""),
        exit_code=ExitCode.UNREACHABLE if unreachable else ExitCode.REFUSED,
        faults=error.faults,
    )
