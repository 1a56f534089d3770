"""What capabilities are made of."""

from dataclasses import dataclass

from runner_service.backends.loop_bridge import LoopBridge
from runner_service.backends.secrets import SecretsBackend
from runner_service.backends.storage import StorageBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Everything that lies behind capabilities, and the way to it from a guest's thread."""

    bridge: LoopBridge
    storage: StorageBackend
    secrets: SecretsBackend
