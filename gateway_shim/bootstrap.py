"""How a gateway is put together: the only place that knows every part."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
from prometheus_client import CollectorRegistry

from gateway_shim import registry_client, runner_client
from gateway_shim.app import gateway_app
from gateway_shim.dispatch import Dispatcher
from gateway_shim.http_server import http_serving
from gateway_shim.identity import Identity, TokenRules
from gateway_shim.invoke import BodyLimits, Invoke
from gateway_shim.jwks import KeySet
from gateway_shim.jwks_source import key_set_reader
from gateway_shim.metrics import GatewayMetrics
from gateway_shim.readiness import Readiness
from gateway_shim.registry_client import RegistryClient
from gateway_shim.resolve import Resolver
from gateway_shim.runner_client import RunnerClient
from gateway_shim.settings import MIB, GatewaySettings
from shared.background import background
from shared.clock import Clock, SystemClock
from shared.rpc.channel import open_channel
from shared.tokens.keys import SigningKey
from shared.tokens.service_token import ServiceTokenSource

MESSAGE_MARGIN_BYTES = MIB
"""What a message may hold beside a body."""


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A running gateway."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Where it is reached, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@asynccontextmanager
async def running(
    settings: GatewaySettings, *, clock: Clock | None = None
) -> AsyncIterator[GatewayProcess]:
    """Runs a gateway until the block ends.

    Raises:
        OSError: the address cannot be bound, or a key file cannot be read.
        ValueError: the service key file holds no Ed25519 private key.
    """
    clock = clock or SystemClock()
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)
    key = SigningKey.from_pem(await asyncio.to_thread(settings.service_key_file.read_bytes))
    async with AsyncExitStack() as stack:
        # `trust_env` is off: a proxy set for other programs must not see, or give, our keys.
        client = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        keys = KeySet(read=key_set_reader(settings.jwks, client), clock=clock)
        await keys.load()

        registry_channel = await stack.enter_async_context(
            open_channel(
                settings.registry_target,
                service=registry_client.SERVICE,
                repeatable=["ResolveInstall"],
            )
        )
        installs = RegistryClient(
            channel=registry_channel,
            tokens=ServiceTokenSource(key=key, audience=registry_client.AUDIENCE, clock=clock),
            timeout_seconds=settings.resolve_timeout_ms / 1000,
        )
        runner_channel = await stack.enter_async_context(
            open_channel(
                settings.runner_target,
                service=runner_client.SERVICE,
                health_checked=True,
                max_message_bytes=settings.max_body_bytes + MESSAGE_MARGIN_BYTES,
            )
        )
        runners = RunnerClient(
            channel=runner_channel,
            tokens=ServiceTokenSource(key=key, audience=runner_client.AUDIENCE, clock=clock),
        )
        resolver = Resolver(
            source=installs,
            cache_seconds=settings.resolve_cache_ms / 1000,
            clock=clock,
            metrics=metrics,
        )
        await stack.enter_async_context(background(installs.follow_changes(resolver.forget)))
        invoke = Invoke(
            identity=Identity(keys=keys, rules=_token_rules(settings), clock=clock),
            resolver=resolver,
            dispatcher=Dispatcher(
                runners=runners,
                timeout_seconds=settings.timeout_ms / 1000,
                clock=clock,
                metrics=metrics,
            ),
            limits=BodyLimits(settings.max_body_bytes, settings.body_timeout_ms / 1000),
            clock=clock,
            metrics=metrics,
        )
        readiness = Readiness(keys=keys, registry=installs, runners=runners, clock=clock)
        app = gateway_app(
            invoke=invoke,
            readiness=readiness,
            metrics=metrics,
            shown_metrics=registry,
            clock=clock,
        )
        port = await stack.enter_async_context(
            http_serving(
                app,
                address=settings.address,
                max_connections=settings.max_connections,
                shutdown_seconds=settings.shutdown_seconds,
            )
        )
        yield GatewayProcess(settings.address[0], port)


def _token_rules(settings: GatewaySettings) -> TokenRules:
    return TokenRules(
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        tenant_claim=settings.tenant_claim,
        user_claims={
            "user_id": settings.user_id_claim,
            "user_email": settings.user_email_claim,
            "user_name": settings.user_name_claim,
            "user_type": settings.user_type_claim,
            "client_name": settings.client_name_claim,
            "client_id": settings.client_id_claim,
        },
        leeway_seconds=settings.leeway_seconds,
    )
