"""What the demo's steps share, and how they insist on what they say."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from extctl.bundling import CheckedBundle, pack_directory
from extctl.client import RegistryClient
from extctl.console import plain
from extctl.failures import CommandError
from extctl.gateway_client import Answer, GatewayClient
from extctl.records import Execution
from extctl.stack_file import StackFile
from shared.errors import ExtensionError
from shared.identifiers import TenantId

_SHOWN_BODY = 140


class DemoFailedError(CommandError):
    """Something was not as the demo states."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="The logs of the processes say more.")


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the extension and its answer."""

    method: str
    path: str
    answer: Answer

    @property
    def request_id(self) -> str:
        """Under which the call is found in the execution log."""
        return self.answer.header("x-request-id")

    def __str__(self) -> str:
        body = " ".join(plain(self._body(), limit=_SHOWN_BODY).split())
        took = f"{self.answer.took_ms:7.1f} ms"
        return f"{self.answer.status}  {took}  {self.method} {self.path}  {body}"

    def _body(self) -> str:
        if self.answer.header("content-type").startswith("application/problem+json"):
            problem = self.json()
            return f"{problem.get('reason')}: {problem.get('detail')}"
        return self.answer.text

    def json(self) -> dict[str, object]:
        """The JSON object that was answered."""
        try:
            document = json.loads(self.answer.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise DemoFailedError(f"The answer is no JSON object: {self}")
        return document


@dataclass(slots=True, kw_only=True)
class Story:
    """One run of the demo: its stack, its tenants, and what the steps have made so far."""

    example: Path
    stack: StackFile
    registry: RegistryClient
    gateway: GatewayClient
    token_a: str
    token_b: str
    tenant_a: TenantId
    tenant_b: TenantId
    bundle: CheckedBundle
    envelope: bytes = b""
    greeting: str = "Good day from tenant A"
    calls: list[Call] = field(default_factory=list)
    """The calls that reached a guest."""
    executions: Sequence[Execution] = ()

    @property
    def base(self) -> str:
        """The path prefix of the extension."""
        return f"/api/ext/{self.bundle.extension}"

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str,
        expect: int,
        body: Mapping[str, object] | None = None,
    ) -> Call:
        """Calls the extension and insists on the status."""
        answer = await self.gateway.call(
            method,
            self.base + path,
            token=token,
            body=json.dumps(body).encode() if body is not None else None,
            headers={"content-type": "application/json"} if body is not None else None,
        )
        call = Call(method, path, answer)
        insist(answer.status == expect, f"The answer should be {expect}: {call}")
        return call

    def executions_of_calls(self) -> Sequence[Execution]:
        """The log's rows of the calls that reached a guest, oldest first."""
        ids = {call.request_id for call in self.calls}
        rows = [row for row in self.executions if row.request_id in ids]
        return sorted(rows, key=lambda row: row.started_at)


def new_tenant() -> TenantId:
    """A tenant that nobody else has."""
    return TenantId(uuid.uuid4())


def load_example(directory: Path) -> CheckedBundle:
    """Packs the example.

    Raises:
        CommandError: it is not there.
    """
    if not directory.is_dir():
        raise CommandError(
            f"The example extension is not in {directory}.",
            hint="Run the demo from a clone of the repository, or name it with --example.",
        )
    return pack_directory(directory)


def insist(held: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Ends the demo unless the statement held."""
    if not held:
        raise DemoFailedError(otherwise)


def insist_on_refusal(error: ExtensionError | None, *, reason: str, result: str) -> str:
    """Insists that the registry refused a bundle for this reason; says why it did."""
    if error is None:
        raise DemoFailedError(f"The registry accepted a bundle that is {result}.")
    insist(
        error.reason == reason and error.metadata.get("result") == result,
        f"The registry should have refused with {reason} ({result}), "
        f"but said {error.reason}: {error.message}",
    )
    return f"{error.reason}: {error.message}"
