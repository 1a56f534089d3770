"""Bills of materials: served as published, and searched."""

import json
from typing import Any
from uuid import uuid4

import pytest

from shared.errors import (
    ArgumentInvalidError,
    ManifestInvalidError,
    PageTokenInvalidError,
    SbomNotFoundError,
    VersionNotFoundError,
)
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.tokens.service_token import ServiceRole
from tests.fixtures.publishing import Extension, new_extension
from tests.fixtures.registry import RegistryUnderTest


def cyclonedx(*components: dict[str, str]) -> bytes:
    return json.dumps({"bomFormat": "CycloneDX", "components": list(components)}).encode()


async def publish(acme: Extension, sbom: bytes, version: str = "1.0.0") -> Any:
    return await acme.publish(version, sbom="sbom.json", files={"sbom.json": sbom})


async def uses(registry: RegistryUnderTest, component: str, **fields: Any) -> list[str]:
    request = pb.FindVersionsByComponentRequest(component=component, **fields)
    answer = await registry.call(registry.catalogue.FindVersionsByComponent, request)
    return [f"{each.extension} {each.version} {each.component_version}" for each in answer.uses]


async def test_the_document_comes_back_to_the_byte(acme: Extension) -> None:
    document = cyclonedx({"name": "a"}) + b"\n  \n"
    version = (await publish(acme, document)).version
    assert version.sbom_format == "cyclonedx"
    assert [check.name for check in version.checks if "1 components" in check.detail] == ["sbom"]
    registry = acme.registry
    for role in ServiceRole:
        request = pb.GetSbomRequest(extension=acme.reference)
        told = await registry.call(registry.catalogue.GetSbom, request, role=role)
        assert (told.format, told.document) == ("cyclonedx", document)


async def test_what_has_none_says_so(acme: Extension) -> None:
    await acme.publish()
    registry = acme.registry
    with pytest.raises(SbomNotFoundError):
        await registry.call(registry.catalogue.GetSbom, pb.GetSbomRequest(extension=acme.reference))
    request = pb.GetSbomRequest(extension=acme.reference, version="9.9.9")
    with pytest.raises(VersionNotFoundError):
        await registry.call(registry.catalogue.GetSbom, request)


async def test_a_bill_that_cannot_be_read_or_is_not_there_is_refused(acme: Extension) -> None:
    with pytest.raises(ManifestInvalidError) as told:
        await publish(acme, b"<bom/>")
    assert [fault.path for fault in told.value.faults] == ["sbom"]
    with pytest.raises(ManifestInvalidError, match=r"no file 'sbom\.json'"):
        await acme.publish(sbom="sbom.json")


async def test_versions_are_found_by_the_components_name_or_package_url(
    registry: RegistryUnderTest,
) -> None:
    one, two = [await new_extension(registry, name=f"{letter}{uuid4().hex}") for letter in "ab"]
    part = f"part-{uuid4().hex}"
    of = {"name": part, "version": "1.3.0", "purl": f"pkg:npm/{part}@1.3.0"}
    await publish(one, cyclonedx(of))
    await publish(one, cyclonedx({**of, "version": "2.0.0"}), "1.1.0")
    await publish(two, cyclonedx(of, {"name": "other", "version": "1.3.0"}))
    everything = [
        f"{one.reference} 1.0.0 1.3.0", f"{one.reference} 1.1.0 2.0.0",
        f"{two.reference} 1.0.0 1.3.0",
    ]  # fmt: skip
    assert await uses(registry, part) == everything
    assert await uses(registry, f"pkg:npm/{part}") == everything
    assert await uses(registry, part, component_version="1.3.0") == [everything[0], everything[2]]
    assert await uses(registry, part.upper()) == []
    assert await uses(registry, f"{part}%") == []


async def test_a_listing_goes_on_where_it_stopped(registry: RegistryUnderTest) -> None:
    acme = await new_extension(registry)
    part = f"part-{uuid4().hex}"
    await publish(acme, cyclonedx(*({"name": part, "version": str(n)} for n in range(5))))
    found, token = [], ""
    while True:
        request = pb.FindVersionsByComponentRequest(component=part, page_size=2, page_token=token)
        page = await registry.call(registry.catalogue.FindVersionsByComponent, request)
        found += [use.component_version for use in page.uses]
        if not (token := page.next_page_token):
            break
    assert found == ["0", "1", "2", "3", "4"]
    request = pb.FindVersionsByComponentRequest(component=part, page_size=2)
    token = (
        await registry.call(registry.catalogue.FindVersionsByComponent, request)
    ).next_page_token
    for wrong in ("x", token[:-2], token * 9):
        with pytest.raises(PageTokenInvalidError):
            await uses(registry, part, page_token=wrong)
    with pytest.raises(PageTokenInvalidError):
        await uses(registry, "other", page_token=token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"component": ""},
        {"component": "\0"},
        {"component": "x" * 513},
        {"component": "x", "component_version": "\n"},
        {"component": "x", "page_size": 201},
    ],
    ids=str,
)
async def test_a_search_for_nothing_sensible_is_refused(
    registry: RegistryUnderTest, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentInvalidError):
        await uses(registry, **wrong)
