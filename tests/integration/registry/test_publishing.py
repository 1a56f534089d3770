"""Publishing over the wire: what is accepted, and every way of being refused."""

import asyncio
import hashlib
import json
from typing import Any
from uuid import uuid4

import pytest
from wasmtime import wat2wasm

from shared.bundles.archive import content_hash_of, pack
from shared.bundles.file_store import FileBundleStore
from shared.bundles.layout import bundle_key
from shared.errors import (
    ArgumentInvalidError,
    BundleInvalidError,
    BundleNotFoundError,
    BundleTooLargeError,
    BundleUntrustedError,
    ComponentInvalidError,
    ContentHashMismatchError,
    ExtensionError,
    ExtensionVersionAlreadyExistsError,
    ManifestInvalidError,
    RegistryEntryExistsError,
    RegistryEntryNotFoundError,
    VersionNotFoundError,
)
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.pb.type.v1 import bundle_pb2
from shared.trust.keys import generate_key
from tests.fixtures.registry import RegistryUnderTest, bundle_of, manifest_of


@pytest.fixture
async def name(registry: RegistryUnderTest) -> str:
    """A fresh registry entry of publisher acme."""
    name = f"x{uuid4().hex}"
    request = pb.CreateRegistryEntryRequest(publisher="acme", name=name)
    await registry.call(registry.catalogue.CreateRegistryEntry, request)
    return name


async def add(registry: RegistryUnderTest, name: str, data: bytes, envelope: bytes) -> Any:
    await registry.upload(data)
    request = pb.AddVersionRequest(
        extension=f"acme.{name}", content_hash=content_hash_of(data), signature_envelope=envelope
    )
    return await registry.call(registry.catalogue.AddVersion, request)


async def versions_of(registry: RegistryUnderTest, name: str) -> list[str]:
    request = pb.ListVersionsRequest(extension=f"acme.{name}")
    answer = await registry.call(registry.catalogue.ListVersions, request)
    return [each.version for each in answer.versions]


async def test_a_signed_bundle_becomes_a_version(registry: RegistryUnderTest, name: str) -> None:
    data = bundle_of(name=name, precompiled={"x86_64": "a.cwasm"})
    answer = await add(registry, name, data, registry.sign(data, name=name))
    version = answer.version
    assert (version.version, version.runtime) == ("1.0.0", "wasm-js@1")
    assert version.content_hash == content_hash_of(data)
    assert version.size_bytes == len(data)
    assert [(e.method, e.path) for e in version.endpoints] == [
        ("GET", "/agreements"),
        ("GET", "/agreements/:id"),
    ]
    assert list(version.capabilities) == ["cap:storage.kv"]
    assert json.loads(version.manifest_json)["name"] == name
    assert version.signature.result == bundle_pb2.SignatureVerification.RESULT_VERIFIED
    assert len(version.signature.key_id) == 64
    assert any("precompiled files are ignored" in warning for warning in answer.warnings)
    get = pb.GetVersionRequest(extension=f"acme.{name}")
    assert (await registry.call(registry.catalogue.GetVersion, get)).version == version


async def test_the_same_bytes_are_kept_once(registry: RegistryUnderTest) -> None:
    data = bundle_of(name=f"x{uuid4().hex}")
    first = await registry.upload(data, declared=content_hash_of(data), chunk=100)
    again = await registry.upload(data)
    assert (first.created, again.created) == (True, False)
    assert first.content_hash == again.content_hash == content_hash_of(data)


async def test_bytes_that_are_not_what_was_declared_are_refused(
    registry: RegistryUnderTest,
) -> None:
    data = bundle_of(name=f"x{uuid4().hex}")
    with pytest.raises(ContentHashMismatchError):
        await registry.upload(data, declared=f"sha256:{'0' * 64}")
    index = pb.GetBundleIndexRequest(content_hash=content_hash_of(data))
    with pytest.raises(BundleNotFoundError):
        await registry.call(registry.catalogue.GetBundleIndex, index)


@pytest.mark.parametrize(
    "data",
    [b"not an archive", bundle_of()[:-7], bundle_of() + b"more"],
    ids=["noise", "truncated", "trailing"],
)
async def test_a_broken_archive_is_not_stored(registry: RegistryUnderTest, data: bytes) -> None:
    with pytest.raises(BundleInvalidError):
        await registry.upload(data)
    store = FileBundleStore(root=registry.home.root / "bundles")
    assert await store.size(bundle_key(content_hash_of(data))) is None


async def test_an_upload_is_cut_off_at_the_limit(registry: RegistryUnderTest) -> None:
    with pytest.raises(BundleTooLargeError):
        await registry.upload(bytes(21 * 1024 * 1024), chunk=1024 * 1024)


async def test_uploads_have_a_header_and_small_chunks(registry: RegistryUnderTest) -> None:
    async def headless() -> Any:
        yield pb.UploadBundleRequest(chunk=b"x")

    async def two_headers() -> Any:
        yield pb.UploadBundleRequest(header=pb.UploadBundleHeader())
        yield pb.UploadBundleRequest(header=pb.UploadBundleHeader())

    async def silent() -> Any:
        return
        yield

    for parts in (headless(), two_headers(), silent()):
        with pytest.raises(ArgumentInvalidError):
            await registry.call(registry.catalogue.UploadBundle, parts)
    with pytest.raises(ArgumentInvalidError):
        await registry.upload(b"", declared="md5:1")
    with pytest.raises(ArgumentInvalidError):
        await registry.upload(bytes(2 * 1024 * 1024), chunk=2 * 1024 * 1024)


async def test_every_fault_of_a_manifest_is_told_with_its_path(
    registry: RegistryUnderTest, name: str
) -> None:
    data = bundle_of(
        name=name,
        version="1.0",
        capabilites=True,
        capabilities=["cap:http.fetsch"],
        api={"endpoints": [{"method": "FETCH", "path": "agree ments", "handler": "list"}]},
    )
    with pytest.raises(ManifestInvalidError) as told:
        await add(registry, name, data, registry.sign(data, name=name))
    assert {fault.path for fault in told.value.faults} == {
        "version", "capabilites", "capabilities[0]", "api.endpoints[0].method",
        "api.endpoints[0].path",
    }  # fmt: skip
    assert all(fault.message and fault.code for fault in told.value.faults)


async def test_a_manifest_of_another_extension_is_refused(
    registry: RegistryUnderTest, name: str
) -> None:
    data = bundle_of(name="other", publisher="rival")
    with pytest.raises(ManifestInvalidError) as told:
        await add(registry, name, data, registry.sign(data, name="other", publisher="rival"))
    assert [fault.path for fault in told.value.faults] == ["publisher", "name"]


async def test_a_bundle_without_manifest_or_program_is_refused(
    registry: RegistryUnderTest, name: str
) -> None:
    bare = pack({"dist/main.wasm": b"x"})
    with pytest.raises(BundleInvalidError, match=r"manifest\.json"):
        await add(registry, name, bare, registry.sign(bare, name=name))
    empty = pack({"manifest.json": json.dumps(manifest_of(name=name)).encode()})
    with pytest.raises(ManifestInvalidError, match=r"dist/main\.wasm"):
        await add(registry, name, empty, registry.sign(empty, name=name))


@pytest.mark.parametrize(
    ("component", "why"),
    [
        (bytes(wat2wasm("(module)")), "core WebAssembly module"),
        (b"(component)", "text"),
        (bytes(wat2wasm("(component)")), "handler"),
    ],
    ids=["core module", "WAT", "no handler"],
)
async def test_what_is_no_component_of_our_world_is_refused(
    registry: RegistryUnderTest, name: str, component: bytes, why: str
) -> None:
    data = bundle_of(name=name, component=component)
    with pytest.raises(ComponentInvalidError, match=why):
        await add(registry, name, data, registry.sign(data, name=name))


async def test_only_a_trusted_signature_over_this_very_version_publishes(
    registry: RegistryUnderTest, name: str
) -> None:
    data = bundle_of(name=name)
    good = registry.sign(data, name=name)
    other_bundle = bundle_of(name=name, description="tampered")
    tampered = json.loads(good)
    tampered["payload"] = tampered["payload"][:-8] + "AAAAAAA="
    refused = {
        "unsigned": b"",
        "tampered": json.dumps(tampered).encode(),
        "wrong key": registry.sign(data, name=name, key=generate_key()),
        "other version": registry.sign(data, name=name, version="1.0.1"),
        "other extension": registry.sign(data, name="other"),
        "other bundle": registry.sign(other_bundle, name=name),
        "noise": b"\xff\x00 not an envelope",
    }
    for envelope in refused.values():
        with pytest.raises(BundleUntrustedError):
            await add(registry, name, data, envelope)
    with pytest.raises(ArgumentInvalidError):
        await add(registry, name, data, bytes(64 * 1024 + 1))
    assert await versions_of(registry, name) == []
    await add(registry, name, data, good)
    assert await versions_of(registry, name) == ["1.0.0"]


async def test_a_version_is_published_once_whatever_its_bytes(
    registry: RegistryUnderTest, name: str
) -> None:
    data, other = bundle_of(name=name), bundle_of(name=name, description="other")
    await add(registry, name, data, registry.sign(data, name=name))
    for again in (data, other):
        with pytest.raises(ExtensionVersionAlreadyExistsError):
            await add(registry, name, again, registry.sign(again, name=name))


async def test_of_several_publishers_at_once_one_wins(
    registry: RegistryUnderTest, name: str
) -> None:
    bundles = [bundle_of(name=name, description=f"number {number}") for number in range(6)]
    outcomes = await asyncio.gather(
        *(add(registry, name, data, registry.sign(data, name=name)) for data in bundles),
        return_exceptions=True,
    )
    lost = [each for each in outcomes if isinstance(each, BaseException)]
    assert len(lost) == 5
    assert all(isinstance(each, ExtensionVersionAlreadyExistsError) for each in lost)
    assert await versions_of(registry, name) == ["1.0.0"]


async def test_versions_are_ordered_by_precedence_and_pre_releases_are_never_latest(
    registry: RegistryUnderTest, name: str
) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1", "1.2.3"):
        await registry.publish(name=name, version=version)
    assert await versions_of(registry, name) == ["2.0.0-rc.1", "1.10.0", "1.9.0", "1.2.3"]
    request = pb.GetRegistryEntryRequest(extension=f"ACME.{name.upper()}")
    answer = await registry.call(registry.catalogue.GetRegistryEntry, request)
    assert answer.entry.latest_version == "1.10.0"
    by_id = pb.GetVersionRequest(extension=answer.entry.registry_id)
    assert (await registry.call(registry.catalogue.GetVersion, by_id)).version.version == "1.10.0"


async def test_what_is_not_there_is_told(registry: RegistryUnderTest, name: str) -> None:
    absent: list[tuple[Any, Any, type[ExtensionError]]] = [
        (registry.catalogue.GetRegistryEntry, pb.GetRegistryEntryRequest(extension="no.such"),
         RegistryEntryNotFoundError),
        (registry.catalogue.GetRegistryEntry, pb.GetRegistryEntryRequest(extension="\x00'; --"),
         RegistryEntryNotFoundError),
        (registry.catalogue.GetVersion, pb.GetVersionRequest(extension=f"acme.{name}"),
         VersionNotFoundError),
        (registry.catalogue.GetVersion,
         pb.GetVersionRequest(extension=f"acme.{name}", version="1.0.0\x00"), VersionNotFoundError),
        (registry.catalogue.ListVersions, pb.ListVersionsRequest(extension=str(uuid4())),
         RegistryEntryNotFoundError),
        (registry.catalogue.Deprecate,
         pb.DeprecateRequest(extension=f"acme.{name}", version="9.9.9", reason="x"),
         VersionNotFoundError),
        (registry.catalogue.AddVersion,
         pb.AddVersionRequest(extension="no.such", content_hash=f"sha256:{'0' * 64}"),
         RegistryEntryNotFoundError),
        (registry.catalogue.AddVersion,
         pb.AddVersionRequest(extension=f"acme.{name}", content_hash=f"sha256:{'0' * 64}"),
         BundleNotFoundError),
        (registry.catalogue.AddVersion,
         pb.AddVersionRequest(extension=f"acme.{name}", content_hash="0" * 64),
         ArgumentInvalidError),
    ]  # fmt: skip
    for method, request, error in absent:
        with pytest.raises(error):
            await registry.call(method, request)


async def test_an_entry_exists_once(registry: RegistryUnderTest, name: str) -> None:
    request = pb.CreateRegistryEntryRequest(publisher="acme", name=name)
    with pytest.raises(RegistryEntryExistsError):
        await registry.call(registry.catalogue.CreateRegistryEntry, request)


@pytest.mark.parametrize(
    "wrong",
    [
        {"publisher": "Acme"},
        {"publisher": "a.b"},
        {"name": "../x"},
        {"name": ""},
        {"display_name": "x\x1b[31m"},
        {"description": "x" * 2001},
    ],
    ids=str,
)
async def test_an_entry_has_clean_words(registry: RegistryUnderTest, wrong: dict[str, str]) -> None:
    words = {"publisher": "acme", "name": f"x{uuid4().hex}", **wrong}
    with pytest.raises(ArgumentInvalidError):
        await registry.call(
            registry.catalogue.CreateRegistryEntry, pb.CreateRegistryEntryRequest(**words)
        )


async def test_a_deprecated_version_keeps_its_date_and_its_last_reason(
    registry: RegistryUnderTest, name: str
) -> None:
    await registry.publish(name=name)

    async def deprecate(reason: str) -> Any:
        request = pb.DeprecateRequest(extension=f"acme.{name}", version="1.0.0", reason=reason)
        return (await registry.call(registry.catalogue.Deprecate, request)).version.deprecation

    first, second = await deprecate("slow"), await deprecate("unsafe")
    assert (first.reason, second.reason) == ("slow", "unsafe")
    assert first.deprecated_at == second.deprecated_at
    with pytest.raises(ArgumentInvalidError):
        await deprecate(" ")


async def test_a_stored_bundle_can_be_streamed_and_listed(
    registry: RegistryUnderTest, name: str
) -> None:
    data = bundle_of(name=name, files={"ui/index.html": b"<p>"})
    content_hash = content_hash_of(data)
    await registry.upload(data)
    index = await registry.call(
        registry.catalogue.GetBundleIndex, pb.GetBundleIndexRequest(content_hash=content_hash)
    )
    assert [file.path for file in index.files] == [
        "dist/main.wasm", "manifest.json", "ui/index.html",
    ]  # fmt: skip
    assert index.files[2].sha256 == hashlib.sha256(b"<p>").hexdigest()
    assert await registry.bundle(content_hash) == data


async def test_a_damaged_object_is_never_handed_out(registry: RegistryUnderTest, name: str) -> None:
    data = bundle_of(name=name)
    content_hash = content_hash_of(data)
    await registry.upload(data)
    path = registry.home.root / "bundles" / bundle_key(content_hash)
    path.chmod(0o644)
    path.write_bytes(data[:-1] + b"\x00")
    with pytest.raises(ContentHashMismatchError):
        await registry.bundle(content_hash)
    with pytest.raises(ContentHashMismatchError):
        await registry.call(
            registry.catalogue.AddVersion,
            pb.AddVersionRequest(
                extension=f"acme.{name}",
                content_hash=content_hash,
                signature_envelope=registry.sign(data, name=name),
            ),
        )
