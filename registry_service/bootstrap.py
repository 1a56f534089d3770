"""The registry's composition root: everything is made here, in order, and let go in reverse."""

import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from prometheus_client import CollectorRegistry

from registry_service.assembly import Publishing, assemble_catalogue
from registry_service.catalog.signing import SignatureGate
from registry_service.files import RegistryFiles
from registry_service.installs.adjustments import Adjustments
from registry_service.installs.change_feed import ChangeFeed
from registry_service.installs.history import History
from registry_service.installs.installs import Installs
from registry_service.installs.resolution import Resolver
from registry_service.installs.version_gate import VersionGate
from registry_service.ledger.executions import Executions
from registry_service.policies.policies import Policies
from registry_service.postgres.change_listener import listening
from registry_service.postgres.database import open_database
from registry_service.postgres.install_store import PostgresInstallStore
from registry_service.postgres.ledger_store import PostgresLedgerStore
from registry_service.postgres.migrate import migrate
from registry_service.postgres.policy_store import PostgresPolicyStore
from registry_service.rpc.execution_log_servicer import ExecutionLogServicer
from registry_service.rpc.install_servicer import InstallServicer
from registry_service.rpc.roles import AUDIENCE, ROLES, SERVICES
from registry_service.sealing import open_cipher
from registry_service.settings import RegistrySettings
from registry_service.tenant_data import assemble_tenant_data
from shared.bundles.open_store import open_bundle_store
from shared.clock import Clock, SystemClock
from shared.component_compiler import compiler_command
from shared.pb.registry.v1 import (
    execution_log_service_pb2_grpc,
    install_service_pb2_grpc,
    publisher_service_pb2_grpc,
    registry_service_pb2_grpc,
    secrets_service_pb2_grpc,
    storage_service_pb2_grpc,
)
from shared.rpc.interceptors import ServerInterceptor
from shared.rpc.server import serving
from shared.telemetry.metrics import RpcMetrics, metrics_port
from shared.tokens.invocation_grant import ROLE as GRANT_ROLE
from shared.tokens.invocation_grant import InvocationGrantVerifier
from shared.tokens.keys import VerifyingKey
from shared.tokens.service_token import ServiceTokenVerifier

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry: where it listens."""

    port: int
    metrics_port: int


@asynccontextmanager
async def running(
    settings: RegistrySettings, *, clock: Clock | None = None
) -> AsyncIterator[Registry]:
    """Runs a registry while the block runs; then running calls finish.

    Raises:
        SettingsInvalidError: files that the settings name cannot be used; all are told together.
        MigrationError: the schema or the role is not what the registry must run with.
        ExtensionError: the bundle store cannot be used.
        DatabaseUnreachableError: PostgreSQL cannot be connected to.
        OSError: an address cannot be bound.
    """
    clock = clock or SystemClock()
    files = RegistryFiles.read(settings, clock)
    metrics = CollectorRegistry()
    if settings.migration_database_url is not None:
        applied = await migrate(settings.migration_database_url.get_secret_value())
        _log.info("schema is up to date", applied=applied)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        metrics_at = stack.enter_context(metrics_port(metrics, settings.metrics_listen))
        objects = await enter(
            open_bundle_store(settings.bundle_store_url, s3=settings.s3_credentials())
        )
        await objects.check()
        database = await enter(
            open_database(
                settings.database_url.get_secret_value(),
                max_connections=settings.database_max_connections,
                clock=clock,
            )
        )
        grants = InvocationGrantVerifier(
            keys={
                files.grant_key.key_id: VerifyingKey(
                    files.grant_key.private.public_key(), GRANT_ROLE
                )
            },
            clock=clock,
        )
        policies = Policies(
            store=PostgresPolicyStore(database=database),
            signing_policy=settings.signing_policy,
            clock=clock,
        )
        gate = SignatureGate(
            store=objects, trust=files.trust_bundle, policies=policies, clock=clock
        )
        catalogue = assemble_catalogue(
            database=database,
            objects=objects,
            gate=gate,
            publishing=Publishing(
                compiler=compiler_command(settings.compiler),
                artefact_key=files.artefact_key,
                garbage_grace=timedelta(hours=settings.garbage_grace_hours),
            ),
            clock=clock,
        )
        install_store = PostgresInstallStore(database=database)
        feed = ChangeFeed()
        await enter(listening(settings.database_url.get_secret_value(), feed.tell))
        egress = settings.egress_policy()
        version_gate = VersionGate(signatures=gate)
        install_servicer = InstallServicer(
            installs=Installs(
                store=install_store, catalog=catalogue.catalog, gate=version_gate, clock=clock
            ),
            adjustments=Adjustments(store=install_store, catalog=catalogue.catalog, egress=egress),
            history=History(
                store=install_store,
                catalog=catalogue.catalog,
                gate=version_gate,
                egress=egress,
                clock=clock,
            ),
            resolver=Resolver(store=install_store, gate=gate, key=files.grant_key, clock=clock),
            feed=feed,
            policies=policies,
        )
        cipher = await enter(open_cipher(settings, files.keyring))
        tenant_data = assemble_tenant_data(
            database=database, grants=grants, cipher=cipher, clock=clock
        )
        await enter(tenant_data.sweeper.sweeping())
        log_servicer = ExecutionLogServicer(
            executions=Executions(store=PostgresLedgerStore(database=database), grants=grants)
        )
        server = await enter(
            serving(
                listen=settings.listen,
                register=[
                    functools.partial(
                        registry_service_pb2_grpc.add_RegistryServiceServicer_to_server,
                        catalogue.registry_servicer,
                    ),
                    functools.partial(
                        publisher_service_pb2_grpc.add_PublisherServiceServicer_to_server,
                        catalogue.publisher_servicer,
                    ),
                    functools.partial(
                        install_service_pb2_grpc.add_InstallServiceServicer_to_server,
                        install_servicer,
                    ),
                    functools.partial(
                        storage_service_pb2_grpc.add_StorageServiceServicer_to_server,
                        tenant_data.storage_servicer,
                    ),
                    functools.partial(
                        secrets_service_pb2_grpc.add_SecretsServiceServicer_to_server,
                        tenant_data.secrets_servicer,
                    ),
                    functools.partial(
                        execution_log_service_pb2_grpc.add_ExecutionLogServiceServicer_to_server,
                        log_servicer,
                    ),
                ],
                services=SERVICES,
                interceptor=ServerInterceptor(
                    verifier=ServiceTokenVerifier(
                        keys=files.service_keys, audience=AUDIENCE, clock=clock
                    ),
                    roles=ROLES,
                    metrics=RpcMetrics(metrics),
                    clock=clock,
                ),
                with_reflection=settings.reflection,
            )
        )
        stack.callback(feed.close)  # first of all: the server waits for streams that are open
        _log.info("registry ready", port=server.port, metrics_port=metrics_at)
        yield Registry(server.port, metrics_at)
