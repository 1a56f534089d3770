"""The S3 calls that a bundle store makes: their types, and their failures in words of ours.

aiobotocore's clients are made at run time and have no types; this is the part of them that
`S3BundleStore` uses.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypedDict

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import BundleStoreUnavailableError

_CONNECT_SECONDS: Final = 3
_READ_SECONDS: Final = 20
_ATTEMPTS: Final = 3
_REFUSED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "401", "403"}
)
_NO_BUCKET: Final = frozenset({"NoSuchBucket", "404"})


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """What signs requests. The secrets stay out of `repr`."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class Body(AbstractAsyncContextManager["Body"], Protocol):
    """An object's bytes, as they arrive."""

    async def read(self, amount: int, /) -> bytes:
        """At most `amount` bytes; none at the end."""
        ...


class ObjectAnswer(TypedDict):
    """The part of a GetObject answer that we read."""

    Body: Body
    ContentLength: int


class HeadAnswer(TypedDict):
    """The part of a HeadObject answer that we read."""

    ContentLength: int


class ListedObject(TypedDict):
    """One object of a listing."""

    Key: str


class ListAnswer(TypedDict, total=False):
    """The part of a ListObjectsV2 answer that we read."""

    Contents: list[ListedObject]
    NextContinuationToken: str


class S3Client(Protocol):
    """The operations, with S3's own argument names (`Bucket`, `Key`, ...)."""

    async def put_object(self, **arguments: object) -> object:
        """PutObject."""
        ...

    async def get_object(self, **arguments: object) -> ObjectAnswer:
        """GetObject."""
        ...

    async def head_object(self, **arguments: object) -> HeadAnswer:
        """HeadObject."""
        ...

    async def head_bucket(self, **arguments: object) -> object:
        """HeadBucket."""
        ...

    async def delete_object(self, **arguments: object) -> object:
        """DeleteObject."""
        ...

    async def list_objects_v2(self, **arguments: object) -> ListAnswer:
        """ListObjectsV2."""
        ...


@asynccontextmanager
async def open_s3_client(
    *, endpoint: str | None, region: str, credentials: S3Credentials | None
) -> AsyncIterator[S3Client]:
    """A client that gives up in bounded time: short timeouts, three attempts.

    Args:
        endpoint: such as `http://127.0.0.1:9000`; None is AWS.
        region: such as `us-east-1`.
        credentials: None takes what the machine offers (AWS's own chain).
    """
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "max_attempts": _ATTEMPTS},
        # we send SHA-256 ourselves, and check every bundle against its content hash
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    context = get_session().create_client(
        "s3",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key_id if credentials else None,
        aws_secret_access_key=credentials.secret_access_key if credentials else None,
        aws_session_token=credentials.session_token if credentials else None,
        config=config,
    )
    async with context as client:
        yield client


def error_code(error: ClientError) -> str:
    """S3's code of a refusal, such as `NoSuchKey`; for a HEAD only the status, such as `404`."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def explained_faults() -> Iterator[None]:
    """Turns every failure of a call into one error; nothing of the request is in its message.

    Raises:
        BundleStoreUnavailableError: the server was not reached, or it refused.
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code in _REFUSED:
            message = "The bundle store refused our credentials; check its access and secret key."
        elif code in _NO_BUCKET:
            message = "The bundle store has no such bucket; create it or correct its name."
        else:
            message = f"The bundle store refused the request ({code[:40]})."
        raise BundleStoreUnavailableError(message) from None
    except (BotoCoreError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise BundleStoreUnavailableError(
            f"The bundle store does not answer ({type(error).__name__})."
        ) from None
