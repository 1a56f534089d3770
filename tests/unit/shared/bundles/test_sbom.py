"""Bills of materials: two formats, one answer, and nothing taken that cannot be searched for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bundles.sbom import (
    MAX_COMPONENTS,
    MAX_SBOM_BYTES,
    SbomComponent,
    SbomFormat,
    package_url_without_version,
    parse_sbom,
)
from shared.errors import ManifestInvalidError

CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "components": [
        {
            "type": "library",
            "name": "left-pad",
            "version": "1.3.0",
            "purl": "pkg:npm/left-pad@1.3.0",
            "components": [{"type": "library", "name": "inner"}],
        },
        {
            "type": "library",
            "name": "left-pad",
            "version": "1.3.0",
            "purl": "pkg:npm/left-pad@1.3.0",
        },
    ],
}
SPDX = {
    "spdxVersion": "SPDX-2.3",
    "packages": [
        {
            "name": "left-pad",
            "versionInfo": "1.3.0",
            "externalRefs": [
                {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x"},
                {"referenceType": "purl", "referenceLocator": "pkg:npm/left-pad@1.3.0"},
            ],
        },
        {"name": "inner"},
    ],
}


def read(document: Any) -> Any:
    return parse_sbom(json.dumps(document).encode())


def refused(data: bytes) -> dict[str, str]:
    with pytest.raises(ManifestInvalidError) as caught:
        parse_sbom(data)
    return {fault.path: fault.code for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("document", "kind"), [(CYCLONEDX, SbomFormat.CYCLONEDX), (SPDX, SbomFormat.SPDX)]
)
def test_both_formats_give_the_same_components(document: Any, kind: SbomFormat) -> None:
    sbom = read(document)
    assert sbom.format is kind
    assert sbom.components == (
        SbomComponent("inner"),
        SbomComponent("left-pad", "1.3.0", "pkg:npm/left-pad"),
    )


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("pkg:npm/left-pad@1.3.0", "pkg:npm/left-pad"),
        ("pkg:npm/%40scope/name@1.0?arch=x#sub", "pkg:npm/%40scope/name"),
        ("pkg:npm/@scope/name", "pkg:npm/@scope/name"),
        ("pkg:cargo/serde", "pkg:cargo/serde"),
        ("", ""),
    ],
)
def test_a_package_url_names_the_package_whatever_its_version(text: str, base: str) -> None:
    assert package_url_without_version(text) == base


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        (b"", {"sbom": "json_syntax"}),
        (b"<bom/>", {"sbom": "json_syntax"}),
        (b"[]", {"sbom": "sbom_format"}),
        (b'{"spdxVersion": "SPDX-3.0"}', {"sbom": "sbom_format"}),
        (b'{"bomFormat": "cyclonedx"}', {"sbom": "sbom_format"}),
        (b'"' + b"x" * MAX_SBOM_BYTES + b'"', {"sbom": "json_too_large"}),
        (b'{"a":' * 40 + b"1" + b"}" * 40, {"sbom": "json_too_deep"}),
    ],
    ids=["empty", "xml", "array", "spdx-3", "case", "large", "deep"],
)
def test_what_is_no_bill_of_materials_is_refused(data: bytes, faults: dict[str, str]) -> None:
    assert refused(data) == faults


@pytest.mark.parametrize(
    "component",
    [None, 7, {}, {"name": ""}, {"name": 7}, {"name": "x\u0000"}, {"name": "x" * 257},
     {"name": "x", "version": 1}, {"name": "x", "purl": "y" * 513}],
    ids=str,
)  # fmt: skip
def test_a_component_that_could_not_be_found_again_is_told(component: Any) -> None:
    data = json.dumps({"bomFormat": "CycloneDX", "components": [component]}).encode()
    assert refused(data) == {"sbom.components[0]": "sbom_component"}


def test_there_are_not_too_many_components() -> None:
    many = [{"name": f"n{number}"} for number in range(MAX_COMPONENTS + 1)]
    data = json.dumps({"bomFormat": "CycloneDX", "components": many}).encode()
    assert refused(data) == {"sbom": "sbom_size"}
    assert (
        len(read({"bomFormat": "CycloneDX", "components": many[1:]}).components) == MAX_COMPONENTS
    )


@given(
    st.dictionaries(
        st.sampled_from(["bomFormat", "spdxVersion", "components", "packages", "x"]),
        st.recursive(
            st.sampled_from(["CycloneDX", "SPDX-2.3", 1, None]),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["name", "purl"]), inner)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_json_is_read_or_refused_with_faults(document: Any) -> None:
    told: object = None
    try:
        told = read(document)
    except ManifestInvalidError as error:
        told = error.faults
    assert told
