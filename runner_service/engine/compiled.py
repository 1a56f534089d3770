"""Components as machine code, checked against the world before anyone can hold one."""

from wasmtime import Engine as WasmtimeEngine
from wasmtime.component import Component

from runner_service.abi.type_check import check_component
from runner_service.abi.world import HANDLER_NAME
from runner_service.engine import library
from runner_service.engine.reflect import reflect


class CompiledComponent:
    """A component that is of this world, ready to be instantiated by the engine that made it."""

    def __init__(self, *, engine: WasmtimeEngine, component: Component) -> None:
        """Checks the component.

        Raises:
            ComponentInvalidError: with every difference from the world.
        """
        shape = reflect(engine, component)
        check_component(shape)
        handler = component.get_export_index(HANDLER_NAME)
        if handler is None:
            raise RuntimeError("a checked component has no handler")
        self._component = component
        self._handler = handler
        self.uses_wasi = shape.uses_wasi
        self.address = library.address_of(component.ptr())
        self.handler_address = library.address_of(handler.ptr())

    def code(self) -> bytes:
        """The machine code, for `Engine.load` of an engine of the same fingerprint."""
        return bytes(self._component.serialize())
