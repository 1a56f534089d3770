"""Bundles in an S3 bucket, or in anything that speaks its protocol with conditional writes."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Final

from botocore.exceptions import ClientError

from shared.bundles.layout import parse_key
from shared.bundles.s3_client import S3Client, error_code, explained_faults
from shared.errors import BundleNotFoundError, BundleStoreUnavailableError, BundleTooLargeError

_READ_BYTES: Final = 256 * 1024
_MISSING: Final = frozenset({"NoSuchKey", "404"})
_EXISTS: Final = frozenset({"PreconditionFailed", "412"})
_CONFLICTS: Final = frozenset({"ConditionalRequestConflict", "409"})
_CONFLICT_PAUSES_SECONDS: Final = (0.05, 0.2, 0.8)


class S3BundleStore:
    """A `BundleStore` in one bucket, below an optional prefix."""

    def __init__(self, *, client: S3Client, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    async def put_if_absent(self, key: str, data: bytes) -> bool:
        """See `BundleStore.put_if_absent`."""
        name = self._name(key)
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")
        for pause in _CONFLICT_PAUSES_SECONDS:
            with explained_faults():
                try:
                    await self._client.put_object(
                        Bucket=self._bucket,
                        Key=name,
                        Body=data,
                        IfNoneMatch="*",
                        ChecksumSHA256=checksum,
                    )
                except ClientError as error:
                    if error_code(error) in _EXISTS:
                        return False
                    if error_code(error) not in _CONFLICTS:
                        raise
                else:
                    return True
            # another writer of this key is not done: neither of us knows yet who wins
            await asyncio.sleep(pause)
        raise BundleStoreUnavailableError("Another writer holds this object; try again.")

    async def get(self, key: str, *, max_bytes: int) -> bytes:
        """See `BundleStore.get`."""
        name = self._name(key)
        with explained_faults():
            try:
                answer = await self._client.get_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    raise BundleNotFoundError from None
                raise
            data = bytearray()
            async with answer["Body"] as body:
                # the server's word about the size is not taken: what arrives is counted
                while len(data) <= max_bytes and (chunk := await body.read(_READ_BYTES)):
                    data += chunk
        if len(data) > max_bytes:
            raise BundleTooLargeError(f"The stored object is larger than {max_bytes} B.")
        return bytes(data)

    async def size(self, key: str) -> int | None:
        """See `BundleStore.size`."""
        name = self._name(key)
        with explained_faults():
            try:
                answer = await self._client.head_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
        return answer["ContentLength"]

    async def delete(self, key: str) -> None:
        """See `BundleStore.delete`."""
        name = self._name(key)
        with explained_faults():
            await self._client.delete_object(Bucket=self._bucket, Key=name)

    async def list_keys(self, prefix: str) -> AsyncIterator[str]:
        """See `BundleStore.list_keys`."""
        position: dict[str, str] = {}
        while True:
            with explained_faults():
                page = await self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=self._prefix + prefix, **position
                )
            for listed in page.get("Contents", []):
                yield listed["Key"].removeprefix(self._prefix)
            token = page.get("NextContinuationToken")
            if not token:
                return
            position = {"ContinuationToken": token}

    async def check(self) -> None:
        """See `BundleStore.check`."""
        with explained_faults():
            await self._client.head_bucket(Bucket=self._bucket)

    def _name(self, key: str) -> str:
        return self._prefix + parse_key(key)
