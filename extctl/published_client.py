"""Talks to a stack's registry about what was published, and what was refused."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from extctl.registry_calls import RegistryCalls, registry_calls
from extctl.stack_file import StackFile
from shared.clock import Clock
from shared.pb.registry.v1 import registry_entry_pb2
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.pb.registry.v1 import registry_service_pb2_grpc as pb_grpc

SERVICE: Final = "extension.registry.v1.RegistryService"


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check of a publish; `result` is passed, warned or failed."""

    name: str
    result: str
    detail: str


@dataclass(frozen=True, slots=True)
class CheckedPublish:
    """A publish and its checks; `outcome` is published or refused."""

    outcome: str
    version: str
    content_hash: str
    at: str
    checks: tuple[CheckOutcome, ...]


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """A version of an extension that contains a component."""

    extension: str
    version: str
    component: str
    component_version: str


class PublishedClient:
    """What there is to ask about versions; each method raises the `ExtensionError` it was told."""

    def __init__(self, calls: RegistryCalls) -> None:
        self._calls = calls
        self._registry = pb_grpc.RegistryServiceStub(calls.channel)

    async def checks(self, extension: str, version: str) -> Sequence[CheckedPublish]:
        """What was checked: of the versions first, then of refused publishes, newest first.

        Args:
            extension: a registry id, or `publisher.name`.
            version: only of this one; empty means all.
        """
        request = pb.ListPublishAttemptsRequest(extension=extension, version=version)
        refused = (await self._calls.call(self._registry.ListPublishAttempts, request)).attempts
        listing = pb.ListVersionsRequest(extension=extension)
        versions = (await self._calls.call(self._registry.ListVersions, listing)).versions
        return [
            *(
                CheckedPublish(
                    "published", each.version, each.content_hash,
                    each.created_at.ToJsonString(), _outcomes(each.checks),
                )
                for each in versions
                if version in ("", each.version)
            ),
            *(
                CheckedPublish(
                    "refused", each.version, each.content_hash,
                    each.attempted_at.ToJsonString(), _outcomes(each.checks),
                )
                for each in refused
            ),
        ]  # fmt: skip

    async def manifest_schema(self) -> str:
        """The JSON Schema of manifests that the registry reads."""
        request = pb.GetManifestSchemaRequest()
        return (await self._calls.call(self._registry.GetManifestSchema, request)).schema_json

    async def sbom(self, extension: str, version: str) -> tuple[str, bytes]:
        """The format and the document of a version; empty text means the latest."""
        request = pb.GetSbomRequest(extension=extension, version=version)
        told = await self._calls.call(self._registry.GetSbom, request)
        return told.format, told.document

    async def uses(
        self, component: str, component_version: str, *, limit: int
    ) -> Sequence[ComponentUse]:
        """The versions that contain a component, at most `limit`."""
        found: list[ComponentUse] = []
        token = ""
        while len(found) < limit:
            request = pb.FindVersionsByComponentRequest(
                component=component, component_version=component_version,
                page_size=min(200, limit - len(found)), page_token=token,
            )  # fmt: skip
            told = await self._calls.call(self._registry.FindVersionsByComponent, request)
            found += [
                ComponentUse(each.extension, each.version, each.component, each.component_version)
                for each in told.uses
            ]
            if not (token := told.next_page_token):
                break
        return found

    async def collect_garbage(self, *, dry_run: bool) -> tuple[int, int]:
        """How many objects, and how many bytes, were deleted or would be."""
        request = pb.CollectGarbageRequest(dry_run=dry_run)
        told = await self._calls.call(self._registry.CollectGarbage, request)
        return told.objects, told.bytes


@asynccontextmanager
async def published_client(stack: StackFile, *, clock: Clock) -> AsyncIterator[PublishedClient]:
    """A client for the registry of `stack`.

    Raises:
        CommandError: the operator's key cannot be read.
    """
    async with registry_calls(stack, service=SERVICE, clock=clock) as calls:
        yield PublishedClient(calls)


def _outcomes(checks: Iterable[registry_entry_pb2.PublishCheck]) -> tuple[CheckOutcome, ...]:
    name = registry_entry_pb2.PublishCheck.Result.Name
    return tuple(
        CheckOutcome(each.name, name(each.result).removeprefix("RESULT_").lower(), each.detail)
        for each in checks
    )
