"""Checks `component`, `capabilities` and `precompiled`: the program, and what it asks for."""

import asyncio
from typing import Final

from registry_service.catalog.checks.check import Passed, Submission
from shared.bundles.capability_proof import undeclared_capabilities, unused_capabilities
from shared.bundles.component import check_component
from shared.bundles.entry_path import shown
from shared.bundles.layout import COMPONENT_PATH
from shared.component_compiler import ComponentCompiler
from shared.errors import ManifestInvalidError

_NATIVE_SUFFIX: Final = ".cwasm"
_MAX_SHOWN: Final = 20


class ComponentCheck:
    """Compiles the component, in a child, and compares its types with the world's."""

    name = "component"

    def __init__(self, *, compiler: ComponentCompiler, keeps_code: bool) -> None:
        """`keeps_code`: whether the machine code is wanted, or only the verdict."""
        self._compiler = compiler
        self._keeps_code = keeps_code

    def applies(self, submission: Submission) -> bool:
        """When there is a program."""
        return COMPONENT_PATH in submission.files

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`. Raises: also CompilerUnavailableError."""
        component = submission.files[COMPONENT_PATH]
        outline = await asyncio.to_thread(check_component, component)
        submission.outline = outline
        if self._keeps_code:
            submission.compiled = await self._compiler.compile(component)
        else:
            await self._compiler.check(component)
        return Passed(f"A component of the platform's world, with {len(outline.imports)} imports.")


class CapabilityCheck:
    """Imports against declared capabilities."""

    name = "capabilities"

    def applies(self, submission: Submission) -> bool:
        """When both sides are known."""
        return submission.manifest is not None and submission.outline is not None

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`."""
        assert submission.manifest is not None, "see applies"
        assert submission.outline is not None, "see applies"
        declared = submission.manifest.capabilities
        faults = list(undeclared_capabilities(submission.outline, declared))
        if faults:
            told = " ".join(fault.message for fault in faults[:3])
            raise ManifestInvalidError(f"A capability is not declared. {told}", faults=faults)
        return Passed(
            "What is imported is declared.",
            tuple(unused_capabilities(submission.outline, declared)),
        )


class PrecompiledCheck:
    """Machine code in the bundle, which nobody will run, and for what the platform compiles."""

    name = "precompiled"

    def applies(self, submission: Submission) -> bool:
        """When the manifest or the bundle has some."""
        declared = submission.manifest is not None and submission.manifest.precompiled
        return bool(declared or _native_files(submission))

    async def run(self, submission: Submission) -> Passed:
        """See `Check.run`."""
        declared = submission.manifest.precompiled if submission.manifest else {}
        compiled = submission.compiled
        warnings = [
            f"{shown(path)} is machine code of the publisher's: it is never loaded."
            for path in _native_files(submission)[:_MAX_SHOWN]
        ]
        warnings += [
            f"Target {shown(target)} is not built: it is not the runners' own."
            for target in sorted(declared)[:_MAX_SHOWN]
            if compiled is None or not _is_target(target, compiled.fingerprint)
        ]
        return Passed("The platform compiled it for its runners.", tuple(warnings))


def _native_files(submission: Submission) -> list[str]:
    return sorted(path for path in submission.files if path.endswith(_NATIVE_SUFFIX))


def _is_target(triple: str, fingerprint: str) -> bool:
    """Whether a target such as `x86_64-unknown-linux-gnu` is that of the code."""
    machine, _, system = fingerprint.partition("target=")[2].partition(";")[0].partition("-")
    parts = triple.lower().split("-")
    return bool(machine) and parts[0] == machine and system in parts
