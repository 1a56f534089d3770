"""Versions that leave their patch to the registry, and versions that stay for ever."""

import asyncio
from typing import Any

import asyncpg
import pytest

from shared.bundles.archive import content_hash_of
from shared.errors import BundleUntrustedError, ExtensionVersionAlreadyExistsError
from shared.pb.registry.v1 import registry_service_pb2 as pb
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.publishing import Extension
from tests.fixtures.registry import new_tenant


async def test_the_next_patch_follows_the_highest_release_of_its_minor_version(
    acme: Extension,
) -> None:
    for version in ("1.2.3", "1.2.9-rc.1", "1.20.7", "2.2.8"):
        await acme.publish(version, description=version)
    told = [(await acme.publish("1.2.*", description=text)).version.version for text in "abc"]
    assert told == ["1.2.4", "1.2.5", "1.2.6"]
    assert (await acme.publish("3.0.*")).version.version == "3.0.0"


async def test_of_many_publishers_at_once_each_gets_a_patch_of_its_own(
    acme: Extension,
) -> None:
    answers = await asyncio.gather(
        *(acme.publish("1.0.*", description=f"number {number}") for number in range(6))
    )
    assert sorted(each.version.version for each in answers) == [f"1.0.{n}" for n in range(6)]


async def test_what_came_of_a_pattern_is_installed_under_the_signature_over_the_pattern(
    acme: Extension,
) -> None:
    version = (await acme.publish("1.2.*")).version
    install = await acme.registry.install(new_tenant(), acme.reference)
    assert (install.version, install.content_hash) == ("1.2.0", version.content_hash)


@pytest.mark.parametrize("signed", ["1.2.0", "1.3.*", "*"])
async def test_a_pattern_is_published_with_a_signature_over_that_very_pattern(
    acme: Extension, signed: str
) -> None:
    with pytest.raises(BundleUntrustedError):
        await acme.add(acme.bundle(version="1.2.*"), version=signed)


async def test_the_same_content_under_two_versions_is_one_stored_object(
    acme: Extension,
) -> None:
    data = acme.bundle(version="1.0.*")
    first, second = [await acme.add(data, version="1.0.*") for _ in range(2)]
    assert (first.version.version, second.version.version) == ("1.0.0", "1.0.1")
    assert first.version.content_hash == second.version.content_hash == content_hash_of(data)
    stored = acme.registry.home.root / "bundles" / "sha256"
    folder = stored / content_hash_of(data).removeprefix("sha256:")
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".zst"]


async def test_a_version_cannot_be_deleted_or_rewritten_by_the_registry(
    acme: Extension, database: TestDatabase
) -> None:
    await acme.publish()
    application = await asyncpg.connect(database.application_dsn)
    forbidden = [
        "delete from extension_version",
        "delete from extension_bundle",
        "truncate extension_version cascade",
        "update extension_version set version = '9.9.9'",
        "update extension_version set manifest = '{}'",
        "update extension_version set checks = '[]'",
        "update extension_version set capabilities = '[]'",
        "update extension_bundle set content_hash = content_hash",
        "delete from extension_sbom_component",
        "update extension_sbom_component set component = 'x'",
        "update extension_publish_attempt set version = 'x'",
    ]
    try:
        for statement in forbidden:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(statement)
    finally:
        await application.close()


async def test_a_version_is_taken_for_ever_whatever_its_bytes(acme: Extension) -> None:
    await acme.publish()
    for changed in ({}, {"description": "other"}):
        with pytest.raises(ExtensionVersionAlreadyExistsError):
            await acme.publish(**changed)
    get = pb.GetVersionRequest(extension=acme.reference, version="1.0.0")
    registry: Any = acme.registry
    assert (await registry.call(registry.catalogue.GetVersion, get)).version.version == "1.0.0"
