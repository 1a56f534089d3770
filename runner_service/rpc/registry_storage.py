"""Guests' records, over the registry's RPC."""

from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from typing import Final, TypeAlias, TypeVar

import grpc
from grpc import aio

from runner_service.backends.storage import PAGE_SIZE, StoredEntry
from runner_service.invocation import Invocation
from shared.errors import RegistryUnavailableError
from shared.identifiers import InstallId
from shared.pb.registry.v1 import storage_service_pb2 as pb
from shared.pb.registry.v1 import storage_service_pb2_grpc as pb_grpc
from shared.rpc.metadata import Metadata, call_metadata
from shared.rpc.status import to_error
from shared.tokens.service_token import ServiceTokenSource

SERVICE: Final = "extension.registry.v1.StorageService"
REPEATABLE: Final = ("GetEntry", "ListEntries")
_SECONDS: Final = 5.0
_MAX_PAGE_TOKENS: Final = 4096

_Position: TypeAlias = tuple[InstallId, str, str]  # install, namespace, key

Answer = TypeVar("Answer")


class RegistryStorage:
    """A `StorageBackend` that asks the registry, and shows it the invocation's grant."""

    def __init__(self, *, channel: aio.Channel, tokens: ServiceTokenSource) -> None:
        self._stub = pb_grpc.StorageServiceStub(channel)
        self._tokens = tokens
        self._page_tokens = _PageTokens()

    async def get(self, invocation: Invocation, namespace: str, key: str) -> StoredEntry:
        """Reads a record; see `StorageBackend.get`."""
        request = pb.GetEntryRequest(namespace=namespace, key=key)
        answer = await _answered(
            self._stub.GetEntry(request, metadata=self._metadata(invocation), timeout=_SECONDS)
        )
        return _stored(answer.entry)

    async def put(
        self,
        invocation: Invocation,
        namespace: str,
        key: str,
        value: bytes,
        *,
        if_revision: int | None,
    ) -> StoredEntry:
        """Writes a record; see `StorageBackend.put`."""
        request = pb.PutEntryRequest(
            namespace=namespace, key=key, value=value, if_revision=if_revision
        )
        answer = await _answered(
            self._stub.PutEntry(request, metadata=self._metadata(invocation), timeout=_SECONDS)
        )
        return _stored(answer.entry)

    async def delete(self, invocation: Invocation, namespace: str, key: str) -> None:
        """Removes a record; see `StorageBackend.delete`."""
        request = pb.DeleteEntryRequest(namespace=namespace, key=key)
        await _answered(
            self._stub.DeleteEntry(request, metadata=self._metadata(invocation), timeout=_SECONDS)
        )

    async def list_entries(
        self, invocation: Invocation, namespace: str, *, after_key: str | None
    ) -> Sequence[StoredEntry]:
        """Lists records; see `StorageBackend.list_entries`.

        A guest goes on from a key, the registry from a token of its own. The token that came with
        a key is remembered; for an unknown key, pages are read from the start until it is passed.
        """
        found: list[StoredEntry] = []
        token = self._page_tokens.after(invocation, namespace, after_key)
        while True:
            request = pb.ListEntriesRequest(
                namespace=namespace, page_size=PAGE_SIZE - len(found), page_token=token
            )
            page = await _answered(
                self._stub.ListEntries(
                    request, metadata=self._metadata(invocation), timeout=_SECONDS
                )
            )
            token = page.next_page_token
            found += [
                _stored(entry)
                for entry in page.entries
                if after_key is None or entry.key > after_key
            ]
            if token and page.entries:
                self._page_tokens.remember(invocation, namespace, page.entries[-1].key, token)
            if not token or len(found) >= PAGE_SIZE:
                return found

    def _metadata(self, invocation: Invocation) -> Metadata:
        return call_metadata(
            token=self._tokens.token(),
            request_id=invocation.request.request_id or "",
            invocation_grant=invocation.grant_token,
        )


class _PageTokens:
    """The registry's page tokens by the key that they go on from: the newest few thousand."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[_Position, str] = OrderedDict()

    def after(self, invocation: Invocation, namespace: str, key: str | None) -> str:
        if key is None:
            return ""
        return self._tokens.get((invocation.grant.install_id, namespace, key), "")

    def remember(self, invocation: Invocation, namespace: str, key: str, token: str) -> None:
        self._tokens[invocation.grant.install_id, namespace, key] = token
        if len(self._tokens) > _MAX_PAGE_TOKENS:
            self._tokens.popitem(last=False)


async def _answered(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except grpc.RpcError as error:
        raise to_error(error, RegistryUnavailableError) from None


def _stored(entry: pb.StorageEntry) -> StoredEntry:
    return StoredEntry(
        namespace=entry.namespace, key=entry.key, value=entry.value, revision=entry.revision
    )
