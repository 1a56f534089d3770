"""S3 that refuses, fails or is not there: one clear error, and no secret in it."""

import base64
import hashlib
from dataclasses import replace

import pytest

from extctl.dev_stack.ports import Ports
from shared.bundles.open_store import open_bundle_store
from shared.bundles.s3_client import S3Credentials
from shared.errors import BundleStoreUnavailableError
from tests.fixtures.s3 import S3Server

KEY = "sha256/abc/bundle.tar.zst"


async def test_a_wrong_secret_is_refused_by_every_method(s3_server: S3Server) -> None:
    url = s3_server.url(await s3_server.new_bucket())
    wrong = replace(s3_server.credentials, secret_access_key="wrong" * 8)
    async with open_bundle_store(url, s3=wrong) as store:
        for call in (
            store.check,
            lambda: store.put_if_absent(KEY, b""),
            lambda: store.get(KEY, max_bytes=1),
            lambda: store.size(KEY),
            lambda: store.delete(KEY),
        ):
            with pytest.raises(BundleStoreUnavailableError, match="refused our credentials") as e:
                await call()
            assert "wrong" not in str(e.value)
        with pytest.raises(BundleStoreUnavailableError, match="refused our credentials"):
            _ = [key async for key in store.list_keys("")]


async def test_a_missing_bucket_is_told(s3_server: S3Server) -> None:
    url = s3_server.url("bundles-that-are-not-there")
    async with open_bundle_store(url, s3=s3_server.credentials) as store:
        with pytest.raises(BundleStoreUnavailableError, match="no such bucket"):
            await store.check()
        with pytest.raises(BundleStoreUnavailableError, match="no such bucket"):
            await store.get(KEY, max_bytes=1)


async def test_a_server_that_is_not_there_is_told_in_bounded_time() -> None:
    port = Ports().take()
    url = f"s3://bucket/?endpoint=http://127.0.0.1:{port}"
    async with open_bundle_store(url, s3=S3Credentials("id", "secret")) as store:
        with pytest.raises(BundleStoreUnavailableError, match="does not answer"):
            await store.check()


async def test_the_server_checks_what_arrives_against_our_sha256(s3_server: S3Server) -> None:
    bucket = await s3_server.new_bucket()
    async with open_bundle_store(s3_server.url(bucket), s3=s3_server.credentials) as store:
        await store.put_if_absent(KEY, b"content")
    async with s3_server.client() as client:
        told = await client.head_object(Bucket=bucket, Key=KEY, ChecksumMode="ENABLED")
    checksum = dict(told)["ChecksumSHA256"]
    assert checksum == base64.b64encode(hashlib.sha256(b"content").digest()).decode()


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(S3Credentials("the-id", "the-secret", "the-token"))
    assert "the-id" in shown
    assert "the-secret" not in shown
    assert "the-token" not in shown
