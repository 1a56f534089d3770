"""Channels to other processes, with the balancing and retrying that gRPC itself offers.

The service configuration is the one that lost no call over a killed server: round robin over
healthy addresses, and a retry of UNAVAILABLE for the methods that may be repeated.
"""

import json
from collections.abc import Sequence

from grpc import aio

from shared.rpc.server import MIB


def open_channel(
    target: str,
    *,
    service: str,
    repeatable: Sequence[str] = (),
    health_checked: bool = False,
    max_message_bytes: int = 4 * MIB,
) -> aio.Channel:
    """Opens a channel; it connects by itself and keeps trying.

    Args:
        target: `host:port`, `dns:///name:port`, or `ipv4:a:1,b:2` for a fixed list.
        service: the full name of the service that answers there.
        repeatable: names of its methods that may be sent again after UNAVAILABLE.
        health_checked: whether to skip addresses whose health says NOT_SERVING.
        max_message_bytes: the largest message either way.
    """
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if repeatable:
        config["methodConfig"] = [
            {
                "name": [{"service": service, "method": method} for method in repeatable],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    if health_checked:
        config["healthCheckConfig"] = {"serviceName": service}
    return aio.insecure_channel(
        target,
        options=[
            ("grpc.service_config", json.dumps(config)),
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.http2.ping_timeout_ms", 5_000),
            ("grpc.enable_http_proxy", 0),
        ],
    )
