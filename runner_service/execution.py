"""One call, from its grant to its answer."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeVar

import structlog

from runner_service.abi.values import GuestRequest
from runner_service.admission.admission import Admission
from runner_service.bundle_cache.bundle_cache import BundleCache, Loaded
from runner_service.capabilities.capabilities import CapabilityTable
from runner_service.conclusion import Conclusion
from runner_service.engine import CompiledComponent, Engine, GuestRun, InvocationLimits
from runner_service.invocation import Call, Execution, Invocation
from runner_service.revocations import Revocations
from shared.clock import Clock
from shared.errors import (
    ComponentInvalidError,
    DeadlineExceededError,
    ExtensionError,
    InternalError,
    InvocationGrantInvalidError,
    RunnerSaturatedError,
)
from shared.identifiers import ExecutionId
from shared.tokens.invocation_grant import InvocationGrant, InvocationGrantVerifier

_NOT_STARTED: Final = (RunnerSaturatedError, ComponentInvalidError)
"""What tells that the guest never ran, so that the call may be made elsewhere."""

_WAY_BACK_SECONDS: Final = 0.1
"""What an answer needs to be back before its caller gives up; usage figures would be lost."""

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLimits:
    """What one call may take."""

    default_timeout_ms: int
    max_timeout_ms: int
    computing_ms: int
    memory_bytes: int


class Executions:
    """Runs calls. Every collaborator is a step, in the order of `execute`."""

    def __init__(
        self,
        *,
        grants: InvocationGrantVerifier,
        revocations: Revocations,
        admission: Admission,
        bundles: BundleCache,
        engine: Engine,
        threads: Executor,
        capabilities: CapabilityTable,
        conclusion: Conclusion,
        clock: Clock,
        limits: ExecutionLimits,
    ) -> None:
        self._grants = grants
        self._revocations = revocations
        self._admission = admission
        self._bundles = bundles
        self._engine = engine
        self._threads = threads
        self._capabilities = capabilities
        self._conclusion = conclusion
        self._clock = clock
        self._limits = limits

    async def execute(
        self,
        call: Call,
        *,
        seconds_left: float | None,
        starting: Callable[[], Awaitable[None]],
    ) -> Execution:
        """Runs the guest once. What the guest does wrong is in the answer, not raised.

        Args:
            call: what to run.
            seconds_left: how long the caller waits; None if for ever.
            starting: awaited just before the guest starts, so that a caller who loses us knows.

        Raises:
            InvocationGrantInvalidError: the grant is not the registry's, expired, or for another
                config.
            InvocationGrantRevokedError: the install or its version changed since it was issued.
            RunnerDrainingError, RunnerSaturatedError: there is no room.
            DeadlineExceededError: the caller's time was over before the guest could start.
            BundleUnavailableError, BundleUntrustedError, ContentHashMismatchError,
            ComponentInvalidError: there is nothing to run. No guest has started, in all of these.
        """
        received = self._clock.monotonic()
        grant = self._grants.verify(call.invocation_grant)
        self._revocations.require_valid(grant)
        _require_granted_config(call, grant)
        async with self._admission.slot(grant.tenant_id):
            loaded = await self._bundles.component(grant)
            invocation = self._invocation(call, grant, received, seconds_left)
            self._revocations.require_valid(grant)  # it may have waited long for its turn
            await starting()
            return await _to_its_end(self._run(invocation, loaded, received))

    async def warm(self, invocation_grant: str) -> bool:
        """Makes the component ready; gives whether it was not before.

        Raises: as `execute`.
        """
        grant = self._grants.verify(invocation_grant)
        self._revocations.require_valid(grant)
        async with self._admission.slot(grant.tenant_id):
            return (await self._bundles.component(grant)).cold

    def _invocation(
        self, call: Call, grant: InvocationGrant, received: float, seconds_left: float | None
    ) -> Invocation:
        now = self._clock.monotonic()
        timeout_ms = call.timeout_ms or self._limits.default_timeout_ms
        ends_at = now + min(timeout_ms, self._limits.max_timeout_ms) / 1000
        if seconds_left is not None:
            ends_at = min(ends_at, received + seconds_left - _WAY_BACK_SECONDS)
        if ends_at <= now:
            raise DeadlineExceededError
        return Invocation(
            execution_id=ExecutionId(uuid.uuid4()),
            grant=grant,
            grant_token=call.invocation_grant,
            request=GuestRequest(
                request_id=call.request_id,
                tenant_id=str(grant.tenant_id),
                extension_id=str(grant.registry_id),
                install_id=str(grant.install_id),
                version_id=str(grant.version_id),
                method=call.method,
                url=call.url,
                headers=call.headers,
                body=call.body,
            ),
            config_json=call.config_json,
            user=call.user,
            ends_at=ends_at,
        )

    async def _run(self, invocation: Invocation, loaded: Loaded, received: float) -> Execution:
        started_at = self._clock.now()
        run = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._run_guest, invocation, loaded.component
        )
        if isinstance(run.failure, _NOT_STARTED):
            raise run.failure
        return self._conclusion.draw(
            invocation, run, cold=loaded.cold, received=received, started_at=started_at
        )

    def _run_guest(self, invocation: Invocation, component: CompiledComponent) -> GuestRun:
        """Blocks until the guest is done; on a guest thread."""
        left = invocation.ends_at - self._clock.monotonic()
        limits = InvocationLimits(
            memory_bytes=self._limits.memory_bytes,
            timeout_ms=max(1, int(left * 1000)),
            computing_ms=self._limits.computing_ms,
        )
        host = self._capabilities.host_of(invocation)
        try:
            return self._engine.run(component, invocation.request, host, limits)
        except RunnerSaturatedError:
            raise
        except Exception as error:  # noqa: BLE001 - the guest has run: no error may invite a retry
            return _run_that_failed(error)


def _require_granted_config(call: Call, grant: InvocationGrant) -> None:
    if sha256(call.config_json.encode()).hexdigest() != grant.config_digest:
        raise InvocationGrantInvalidError("The config is not the one that the grant names.")


async def _to_its_end(work: Coroutine[object, object, Answer]) -> Answer:
    """Waits for `work` even when cancelled: a guest's thread cannot be, and it keeps its slot."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody is left to be told, and it is in the record
        raise


def _run_that_failed(error: Exception) -> GuestRun:
    if not isinstance(error, ExtensionError):
        error = InternalError()
    if isinstance(error, InternalError):
        _log.error("invocation failed", exc_info=error)
    return GuestRun(
        response=None, failure=error, guest_us=0, peak_memory_bytes=0, stdout=(), stderr=(),
        dropped_output_bytes=0,
    )  # fmt: skip
