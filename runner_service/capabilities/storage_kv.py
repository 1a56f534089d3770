"""`cap:storage.kv`: the records of the install."""

from collections.abc import Mapping
from typing import ClassVar, Final

from runner_service.abi.values import Err, Ok, Value
from runner_service.backends.backends import Backends
from runner_service.backends.storage import StoredEntry
from runner_service.capabilities.capability import Answers
from runner_service.invocation import Invocation
from shared.capabilities import STORAGE_KV
from shared.errors import (
    ArgumentInvalidError,
    CapabilityNotGrantedError,
    ExtensionError,
    GuestTimedOutError,
    InvocationGrantInvalidError,
    RevisionMismatchError,
    StorageEntryNotFoundError,
    StorageLimitExceededError,
)

MAX_VALUE_BYTES: Final = 64 * 1024
_MAX_NAMESPACE: Final = 128
_MAX_KEY: Final = 256

# What guests were told for each failure by the system that they were built for; a reached limit
# was "denied" there, and so it is here.
_ERRORS: Final[Mapping[type[ExtensionError], str]] = {
    StorageEntryNotFoundError: "missing",
    RevisionMismatchError: "conflict",
    CapabilityNotGrantedError: "denied",
    InvocationGrantInvalidError: "denied",
    StorageLimitExceededError: "denied",
}


class StorageKv:
    """Reads and writes through the storage backend, in the install's own records only.

    `list-entries` gives at most 25 records in key order; its cursor is the last key seen, so a
    guest goes on by giving the key of the last record it got. Deleting what is not there is a
    `conflict`, as guests know it.
    """

    name = STORAGE_KV
    interface = "alga:extension/storage"
    denials: ClassVar[Answers] = {
        function: Err("denied") for function in ("get", "put", "delete", "list-entries")
    }

    def __init__(self, backends: Backends) -> None:
        self._wait_for = backends.bridge.wait_for
        self._storage = backends.storage

    def call(self, invocation: Invocation, function: str, arguments: tuple[Value, ...]) -> Value:
        """Answers `get`, `put`, `delete` and `list-entries`."""
        try:
            return Ok(self._answer(invocation, function, arguments))
        except GuestTimedOutError:
            raise
        except StorageEntryNotFoundError:
            return Err("conflict" if function == "delete" else "missing")
        except ExtensionError as error:
            return Err(_ERRORS.get(type(error), "internal"))

    def _answer(self, invocation: Invocation, function: str, arguments: tuple[Value, ...]) -> Value:
        storage, wait_for = self._storage, self._wait_for
        match function, arguments:
            case "get", (str(namespace), str(key)):
                _check(namespace, key)
                return _record(wait_for(storage.get(invocation, namespace, key), invocation))
            case "put", (
                {
                    "namespace": str(namespace),
                    "key": str(key),
                    "value": bytes(value),
                    "revision": int() | None as revision,
                },
            ):
                _check(namespace, key, value)
                work = storage.put(invocation, namespace, key, value, if_revision=revision)
                return _record(wait_for(work, invocation))
            case "delete", (str(namespace), str(key)):
                _check(namespace, key)
                wait_for(storage.delete(invocation, namespace, key), invocation)
                return None
            case "list-entries", (str(namespace), str() | None as cursor):
                _check(namespace, cursor or "")
                page = storage.list_entries(invocation, namespace, after_key=cursor)
                return [_record(entry) for entry in wait_for(page, invocation)]
        raise TypeError(f"storage.{function} was called with other types than the world's")


def _check(namespace: str, key: str, value: bytes = b"") -> None:
    # Only sizes, so that nothing huge is sent; the registry decides on the grammar.
    if len(namespace) > _MAX_NAMESPACE or len(key) > _MAX_KEY or len(value) > MAX_VALUE_BYTES:
        raise ArgumentInvalidError("A name or value is larger than storage takes.")


def _record(entry: StoredEntry) -> Value:
    return {
        "namespace": entry.namespace,
        "key": entry.key,
        "value": entry.value,
        "revision": entry.revision,
    }
