"""Opens the bundle store that a URL names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from shared.bundles.file_store import FileBundleStore
from shared.bundles.layout import parse_key
from shared.bundles.s3_client import S3Credentials, open_s3_client
from shared.bundles.s3_store import S3BundleStore
from shared.bundles.store import BundleStore
from shared.errors import ArgumentInvalidError, BundleStoreUnavailableError

_OPTIONS: Final = frozenset({"endpoint", "region"})
_DEFAULT_REGION: Final = "us-east-1"


@asynccontextmanager
async def open_bundle_store(url: str, *, s3: S3Credentials | None) -> AsyncIterator[BundleStore]:
    """Opens `file:///absolute/path` or `s3://bucket[/prefix][?endpoint=URL&region=NAME]`.

    A missing directory is made (its parent must exist); a bucket must be there already. Opening
    asks no server anything: `BundleStore.check` does.

    Args:
        url: which store. It is a setting that gets shown: no secret belongs in it.
        s3: what signs requests to S3; None takes AWS's own credential chain.

    Raises:
        ArgumentInvalidError: the URL is malformed.
        BundleStoreUnavailableError: the directory cannot be made.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _refused("it is not a URL") from None
    if "@" in parts.netloc or parts.fragment:
        raise _refused("it must not hold a user, a password or a fragment")
    if parts.scheme == "file":
        yield _file_store(parts)
    elif parts.scheme == "s3":
        options = _options(parts)
        prefix = parts.path.strip("/")
        if not parts.netloc:
            raise _refused("it names no bucket")
        async with open_s3_client(
            endpoint=options.get("endpoint"),
            region=options.get("region", _DEFAULT_REGION),
            credentials=s3,
        ) as client:
            yield S3BundleStore(
                client=client, bucket=parts.netloc, prefix=parse_key(prefix) if prefix else ""
            )
    else:
        raise _refused("its scheme is neither file nor s3")


def _file_store(parts: SplitResult) -> FileBundleStore:
    root = Path(unquote(parts.path))
    if parts.netloc or parts.query or not root.is_absolute():
        raise _refused("a file URL is file:// and an absolute path, nothing else")
    try:
        root.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise BundleStoreUnavailableError(
            f"The bundle directory cannot be made: {error.strerror}."
        ) from None
    return FileBundleStore(root=root)


def _options(parts: SplitResult) -> dict[str, str]:
    try:
        given = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError:
        given = {"": []} if parts.query else {}
    if not given.keys() <= _OPTIONS or any(len(values) != 1 for values in given.values()):
        raise _refused("its options are endpoint and region, each at most once")
    options = {name: values[0] for name, values in given.items()}
    if "endpoint" in options:
        endpoint = urlsplit(options["endpoint"])
        if endpoint.scheme not in {"http", "https"} or "@" in endpoint.netloc:
            raise _refused("its endpoint must be an http:// or https:// URL without a user")
    return options


def _refused(why: str) -> ArgumentInvalidError:
    return ArgumentInvalidError(
        f"The bundle store's URL is refused: {why}. Give file:///absolute/path or "
        "s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1.",
        what="bundle_store",
    )
