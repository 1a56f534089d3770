"""The runner's composition root: everything is made here, in order, and let go in reverse."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from runner_service.admission.admission import Admission
from runner_service.backends.backends import Backends
from runner_service.backends.loop_bridge import LoopBridge
from runner_service.backends.remembered_secrets import RememberedSecrets
from runner_service.bundle_cache.artefacts import Artefacts
from runner_service.bundle_cache.bundle_cache import BundleCache
from runner_service.bundle_cache.bundle_trust import BundleTrust
from runner_service.bundle_cache.component_memory import ComponentMemory
from runner_service.bundle_cache.fleet_artefacts import FleetArtefacts
from runner_service.capabilities.capabilities import CapabilityTable
from runner_service.conclusion import Conclusion
from runner_service.drain import Drain
from runner_service.engine import Engine, EngineSettings
from runner_service.execution import Executions
from runner_service.files import RunnerFiles
from runner_service.guest_threads import guest_threads
from runner_service.metrics import (
    AdmissionMetrics,
    CacheMetrics,
    ExecutionMetrics,
    ReportMetrics,
)
from runner_service.reporting.registry_reporter import RegistryReporter
from runner_service.revocations import Revocations
from runner_service.rpc.conversion import CallReader
from runner_service.rpc.registry_execution_log import RegistryExecutionLog
from runner_service.rpc.registry_secrets import REPEATABLE as SECRETS_REPEATABLE
from runner_service.rpc.registry_secrets import SERVICE as SECRETS_SERVICE
from runner_service.rpc.registry_secrets import RegistrySecrets
from runner_service.rpc.registry_storage import REPEATABLE, RegistryStorage
from runner_service.rpc.registry_storage import SERVICE as STORAGE_SERVICE
from runner_service.rpc.runner_servicer import AUDIENCE, ROLES, SERVICE, RunnerServicer
from runner_service.settings import MIB, RunnerSettings
from shared.background import background
from shared.bundles.open_store import open_bundle_store
from shared.clock import Clock, SystemClock
from shared.component_compiler import ComponentCompiler, compiler_command
from shared.pb.runner.v1 import runner_service_pb2_grpc as pb_grpc
from shared.rpc.channel import open_channel
from shared.rpc.install_watch import follow_changes
from shared.rpc.interceptors import ServerInterceptor
from shared.rpc.server import serving
from shared.telemetry.metrics import RpcMetrics, metrics_port
from shared.tokens.invocation_grant import InvocationGrantVerifier
from shared.tokens.service_token import ServiceTokenSource, ServiceTokenVerifier

REGISTRY_AUDIENCE: Final = "registry"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Runner:
    """A running runner: where it listens, and how to take it out of service."""

    port: int
    metrics_port: int
    drain: Drain


@asynccontextmanager
async def running(settings: RunnerSettings, *, clock: Clock | None = None) -> AsyncIterator[Runner]:
    """Runs a runner while the block runs; then drains it: running calls finish, the log is sent.

    Raises:
        SettingsInvalidError: a file that the settings name cannot be used; all are told together.
        OSError: an address cannot be bound.
    """
    clock = clock or SystemClock()
    files = RunnerFiles.read(settings, clock)
    registry = CollectorRegistry()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        metrics_at = stack.enter_context(metrics_port(registry, settings.metrics_listen))
        store = await enter(
            open_bundle_store(settings.bundle_store_url, s3=settings.s3_credentials())
        )
        channel = await enter(
            open_channel(settings.registry_target, service=STORAGE_SERVICE, repeatable=REPEATABLE)
        )
        secrets_channel = await enter(
            open_channel(
                settings.registry_target, service=SECRETS_SERVICE, repeatable=SECRETS_REPEATABLE
            )
        )
        tokens = ServiceTokenSource(key=files.service_key, audience=REGISTRY_AUDIENCE, clock=clock)
        reporter = RegistryReporter(
            log=RegistryExecutionLog(channel=channel, tokens=tokens, runner_id=settings.runner_id),
            metrics=ReportMetrics(registry),
            limits=settings.shipping_limits(),
        )
        await enter(reporter.shipping())
        engine = stack.enter_context(Engine(settings=_engine_settings(settings)))
        threads = stack.enter_context(guest_threads(settings.concurrency))
        cache_metrics = CacheMetrics(registry)
        artefacts = Artefacts(
            root=settings.cache_dir,
            mac_key=files.mac_key,
            engine=engine,
            max_bytes=settings.cache_disk_max_bytes,
            metrics=cache_metrics,
        )
        bundles = BundleCache(
            store=store,
            trust=BundleTrust(
                store=store,
                trust_bundle=files.trust_bundle,
                policy=settings.signing_policy,
                clock=clock,
            ),
            compiler=ComponentCompiler(command=compiler_command("")),
            memory=ComponentMemory(
                max_bytes=settings.cache_memory_max_bytes, metrics=cache_metrics
            ),
            artefacts=artefacts,
            fleet=FleetArtefacts(
                store=store,
                key=files.artefact_key,
                artefacts=artefacts,
                fingerprint=engine.fingerprint,
            )
            if files.artefact_key
            else None,
            metrics=cache_metrics,
        )
        stack.push_async_callback(bundles.close)
        admission = Admission(
            limits=settings.admission_limits(), metrics=AdmissionMetrics(registry)
        )
        drain = Drain(admission)
        revocations = Revocations(clock=clock)
        await enter(background(follow_changes(channel, tokens, revocations.note)))
        executions = Executions(
            grants=InvocationGrantVerifier(keys=files.grant_keys, clock=clock),
            revocations=revocations,
            admission=admission,
            bundles=bundles,
            engine=engine,
            threads=threads,
            capabilities=CapabilityTable(
                Backends(
                    bridge=LoopBridge(loop=asyncio.get_running_loop(), clock=clock),
                    storage=RegistryStorage(channel=channel, tokens=tokens),
                    secrets=RememberedSecrets(
                        backend=RegistrySecrets(channel=secrets_channel, tokens=tokens),
                        clock=clock,
                    ),
                )
            ),
            conclusion=Conclusion(
                reporter=reporter, metrics=ExecutionMetrics(registry), clock=clock
            ),
            clock=clock,
            limits=settings.execution_limits(),
        )
        servicer = RunnerServicer(
            executions=executions, drain=drain, reader=CallReader(settings.max_body_bytes)
        )
        server = await enter(
            serving(
                listen=settings.listen,
                register=[functools.partial(pb_grpc.add_RunnerServiceServicer_to_server, servicer)],
                services=[SERVICE],
                interceptor=ServerInterceptor(
                    verifier=ServiceTokenVerifier(
                        keys=files.service_keys, audience=AUDIENCE, clock=clock
                    ),
                    roles=ROLES,
                    metrics=RpcMetrics(registry),
                    clock=clock,
                ),
                max_message_bytes=settings.max_body_bytes + MIB,
                with_reflection=settings.reflection,
            )
        )
        drain.announce_with(functools.partial(server.set_serving, serving=False))
        stack.push_async_callback(_drained, drain)
        _log.info("runner ready", port=server.port, metrics_port=metrics_at)
        yield Runner(server.port, metrics_at, drain)


async def _drained(drain: Drain) -> None:
    await drain.start()
    await drain.finish()


def _engine_settings(settings: RunnerSettings) -> EngineSettings:
    # One instance for each guest thread, and one for a guest that is just being let go.
    return EngineSettings(
        max_instances=settings.concurrency + 1,
        max_warm_instances=min(8, settings.concurrency),
        max_memory_bytes=settings.memory_mb * MIB,
    )
