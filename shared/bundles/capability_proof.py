"""What a component's imports prove about the capabilities that its manifest declares.

An interface that a component does not import cannot be called by it, whatever its install is
granted. So the imports must be covered by the declaration, and a declaration that covers no import
asks tenants for more than is used.
"""

from collections.abc import Collection, Iterator

from shared.bundles.component import ComponentOutline
from shared.bundles.entry_path import shown
from shared.capabilities import CAPABILITY_OF_INTERFACE, DEFAULT_CAPABILITIES
from shared.errors import Fault


def undeclared_capabilities(
    outline: ComponentOutline, declared: Collection[str]
) -> Iterator[Fault]:
    """A fault for each import whose capability is neither declared nor everyone's.

    Args:
        outline: the component's imports and exports.
        declared: the manifest's capabilities, canonical.
    """
    for interface in outline.imports:
        capability = CAPABILITY_OF_INTERFACE.get(interface)
        if capability in (None, *DEFAULT_CAPABILITIES, *declared):
            continue
        yield Fault(
            "capabilities",
            "capability_undeclared",
            f"The component imports {shown(interface)}, which needs {capability}.",
            f'Add "{capability}" to capabilities, or build the component for a world that does '
            "not import the interface.",
        )


def unused_capabilities(outline: ComponentOutline, declared: Collection[str]) -> Iterator[str]:
    """A warning for each declared capability that no import needs, and not everyone has."""
    needed = {CAPABILITY_OF_INTERFACE.get(interface) for interface in outline.imports}
    for capability in declared:
        if capability not in needed and capability not in DEFAULT_CAPABILITIES:
            yield f"{capability} is declared, but the component imports nothing that needs it."
