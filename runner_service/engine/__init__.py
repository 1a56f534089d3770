"""The sandbox: the only package that knows wasmtime.

`Engine` compiles components and runs requests in them; everything else is how.
"""

from runner_service.engine.compiled import CompiledComponent
from runner_service.engine.configuration import EngineSettings
from runner_service.engine.engine import Engine
from runner_service.engine.guest_run import GuestRun
from runner_service.engine.invocation import Host, InvocationLimits

__all__ = [
    "CompiledComponent",
    "Engine",
    "EngineSettings",
    "GuestRun",
    "Host",
    "InvocationLimits",
]
