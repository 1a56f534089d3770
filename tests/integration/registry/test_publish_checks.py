"""What is checked before a version is there, and what its publisher is told of it."""

import asyncio
import json
import platform
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from registry_service.files import RegistryFiles
from registry_service.settings import RegistrySettings
from runner_service.abi.types import FunctionType, Primitive
from runner_service.engine.configuration import code_fingerprint
from shared.bundles.archive import content_hash_of
from shared.bundles.file_store import FileBundleStore
from shared.bundles.fleet_artefact import ArtefactKey
from shared.clock import SystemClock
from shared.errors import (
    BundleInvalidError,
    CompilerUnavailableError,
    ComponentInvalidError,
    ManifestInvalidError,
    RegistryEntryNotFoundError,
)
from shared.pb.registry.v1 import registry_entry_pb2
from shared.pb.registry.v1 import registry_service_pb2 as pb
from shared.settings import SettingsInvalidError
from shared.tokens.service_token import ServiceRole
from tests.fixtures.guests.assembly import assemble
from tests.fixtures.postgres import NewDatabase, TestDatabase
from tests.fixtures.publishing import Extension, new_extension
from tests.fixtures.registry import NewRegistryHome, RegistryUnderTest, registry_on

PASSED = registry_entry_pb2.PublishCheck.RESULT_PASSED
WARNED = registry_entry_pb2.PublishCheck.RESULT_WARNED
FAILED = registry_entry_pb2.PublishCheck.RESULT_FAILED

STORING = assemble(
    """(module
      (import "alga:extension/storage" "delete" (func (param i32 i32 i32 i32 i32)))
      (func (export "handler") (param i32) (result i32) unreachable))"""
)
PRIVATE_KEY = ed25519.Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


def results(checks: Any) -> dict[str, int]:
    return {check.name: check.result for check in checks}


async def attempts(acme: Extension, version: str = "") -> Any:
    request = pb.ListPublishAttemptsRequest(extension=acme.reference, version=version)
    registry = acme.registry
    return (await registry.call(registry.catalogue.ListPublishAttempts, request)).attempts


async def test_every_check_is_kept_with_the_version(acme: Extension) -> None:
    answer = await acme.publish()
    checks = answer.version.checks
    assert [check.name for check in checks] == [
        "size", "archive", "manifest", "name", "signature", "secrets", "component", "capabilities",
    ]  # fmt: skip
    assert set(results(checks).values()) == {PASSED}
    assert all(check.detail for check in checks)
    get = pb.GetVersionRequest(extension=acme.reference)
    registry = acme.registry
    assert (await registry.call(registry.catalogue.GetVersion, get)).version == answer.version
    assert len(await attempts(acme)) == 0


async def test_an_import_that_is_not_declared_is_refused_and_named(acme: Extension) -> None:
    with pytest.raises(ManifestInvalidError, match="alga:extension/storage") as told:
        await acme.publish(component=STORING)
    [fault] = told.value.faults
    assert (fault.path, fault.code) == ("capabilities", "capability_undeclared")
    assert "cap:storage.kv" in fault.hint
    declared = await acme.publish(component=STORING, capabilities=["storage.kv"])
    assert results(declared.version.checks)["capabilities"] == PASSED


async def test_a_capability_that_nothing_needs_is_a_warning(acme: Extension) -> None:
    answer = await acme.publish(capabilities=["http.fetch"])
    assert results(answer.version.checks)["capabilities"] == WARNED
    assert any("cap:http.fetch" in warning for warning in answer.warnings)


async def test_types_that_differ_from_the_worlds_are_refused_at_publish(
    acme: Extension,
) -> None:
    """Its outline is right: only who compiles it can tell."""
    evil = assemble(
        """(module
          (import "alga:extension/logging" "log-info" (func (param i64)))
          (func (export "handler") (param i32) (result i32) unreachable))""",
        imports={"alga:extension/logging": {"log-info": FunctionType((Primitive.U64,))}},
    )
    with pytest.raises(ComponentInvalidError) as told:
        await acme.publish(component=evil)
    assert told.value.faults[0].path == "imports.alga:extension/logging.log-info"


async def test_a_private_key_in_the_bundle_is_refused_without_repeating_it(
    acme: Extension,
) -> None:
    with pytest.raises(BundleInvalidError) as told:
        await acme.publish(files={"ui/keys.txt": b"key:\n" + PRIVATE_KEY})
    [fault] = told.value.faults
    assert fault.code == "secret_embedded"
    assert "ui/keys.txt" in fault.path
    said = f"{told.value.message} {fault} {await attempts(acme)}"
    assert PRIVATE_KEY.splitlines()[1].decode() not in said


async def test_what_looks_like_a_token_is_a_warning(acme: Extension) -> None:
    token = b"ghp_" + b"a1" * 18
    answer = await acme.publish(files={"ui/app.js": token})
    assert results(answer.version.checks)["secrets"] == WARNED
    assert token.decode() not in str(answer)


async def test_all_faults_of_all_checks_come_in_one_answer_and_are_kept(
    acme: Extension,
) -> None:
    with pytest.raises(ManifestInvalidError) as told:
        await acme.publish(
            component=b"\0asm\x0d\0\1\0", files={"ui/k": PRIVATE_KEY}, runtime="?", version="7.0.0"
        )
    assert [fault.code for fault in told.value.faults] == [
        "runtime", "secret_embedded", "handler_missing",
    ]  # fmt: skip
    [attempt] = await attempts(acme, "7.0.0")
    assert results(attempt.checks) == {
        "size": PASSED, "archive": PASSED, "manifest": FAILED, "secrets": FAILED,
        "component": FAILED,
    }  # fmt: skip
    assert attempt.attempted_at.seconds
    assert await acme.versions() == []
    assert len(await attempts(acme, "7.0.1")) == 0


async def test_refused_publishes_are_listed_newest_first_and_not_without_end(
    acme: Extension, database: TestDatabase
) -> None:
    for version in ("1.0.0", "1.0.1"):
        with pytest.raises(ManifestInvalidError):
            await acme.publish(version=version, runtime="?")
    assert [each.version for each in await attempts(acme)] == ["1.0.1", "1.0.0"]
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute(
        """
        insert into extension_publish_attempt (registry_id, version, content_hash, checks)
        select registry_id, version, content_hash, checks
        from extension_publish_attempt, generate_series(1, 120)
        """
    )
    await owner.close()
    with pytest.raises(ManifestInvalidError):
        await acme.publish(version="2.0.0", runtime="?")
    listed = await attempts(acme)
    assert (len(listed), listed[0].version) == (100, "2.0.0")


async def test_attempts_of_what_is_not_there(registry: RegistryUnderTest) -> None:
    request = pb.ListPublishAttemptsRequest(extension="no.such")
    with pytest.raises(RegistryEntryNotFoundError):
        await registry.call(registry.catalogue.ListPublishAttempts, request)
    acme = await new_extension(registry)
    for version in ("\0", "'; drop table", "x" * 100_000):
        assert len(await attempts(acme, version)) == 0


async def test_a_name_that_is_easily_taken_for_anothers_is_a_warning(
    registry: RegistryUnderTest,
) -> None:
    known = await new_extension(registry, name="billing")
    assert results((await known.publish()).version.checks)["name"] == PASSED
    for publisher, name in (("acmee", "billing"), ("acrne", "billing"), ("acme1", "billing")):
        await new_extension(registry, publisher=publisher, name=name)
    other = await new_extension(registry, publisher="quite-different", name="billing")
    answer = await known.publish(version="1.0.1")
    assert results(answer.version.checks)["name"] == WARNED
    told = " ".join(answer.warnings)
    assert "acmee.billing" in told
    assert "acrne.billing" in told
    assert "quite-different" not in told
    assert other.name == "billing"


async def test_machine_code_of_a_publisher_is_told_to_be_useless(acme: Extension) -> None:
    answer = await acme.publish(
        files={"artifacts/main.cwasm": b"\x7fELF"},
        precompiled={"riscv64-linux": "artifacts/main.cwasm"},
    )
    assert results(answer.version.checks)["precompiled"] == WARNED
    told = " ".join(answer.warnings)
    assert "'artifacts/main.cwasm' is machine code" in told
    assert "'riscv64-linux' is not built" in told


async def test_the_code_for_the_runners_is_stored_sealed(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    home = new_registry_home()
    key_file = home.root / "artefacts.key"
    key_file.write_bytes(bytes(range(32)))
    key_file.chmod(0o600)
    async with registry_on(
        home,
        await new_database(),
        change=lambda settings: settings.model_copy(update={"artefact_key_file": key_file}),
    ) as registry:
        acme = await new_extension(registry)
        data = acme.bundle(precompiled={f"{platform.machine()}-unknown-linux-gnu": "x"})
        answer = await acme.add(data)
    assert results(answer.version.checks)["precompiled"] == PASSED
    store = FileBundleStore(root=home.root / "bundles")
    stem = f"sha256/{content_hash_of(data).removeprefix('sha256:')}/compiled/"
    [name] = [key async for key in store.list_keys(stem)]
    sealed = await store.get(name, max_bytes=1 << 30)
    key = ArtefactKey.from_file(key_file)
    fingerprint = code_fingerprint()
    assert name == key.object_key(content_hash_of(data), fingerprint)
    assert key.open(sealed, content_hash=content_hash_of(data), fingerprint=fingerprint)


async def test_a_compiler_that_cannot_be_run_refuses_nobody_for_good(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    home = new_registry_home()
    async with registry_on(
        home,
        await new_database(),
        change=lambda settings: settings.model_copy(update={"compiler": "/no/x"}),
    ) as registry:
        acme = await new_extension(registry)
        with pytest.raises(CompilerUnavailableError):
            await acme.publish()
        assert await acme.versions() == []
        assert len(await attempts(acme)) == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [("REGISTRY_COMPILER", '"/usr/bin/compile'), ("REGISTRY_GARBAGE_GRACE_HOURS", "-1")],
)
def test_settings_that_cannot_be_used_are_told_by_their_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsInvalidError, match=variable):
        RegistrySettings.from_environment({variable: value})


async def test_a_key_of_compiled_code_that_others_may_read_is_refused(
    new_database: NewDatabase, new_registry_home: NewRegistryHome
) -> None:
    home = new_registry_home()
    key_file = home.root / "artefacts.key"
    key_file.write_bytes(bytes(32))
    key_file.chmod(0o644)
    settings = home.settings(await new_database()).model_copy(
        update={"artefact_key_file": key_file}
    )
    with pytest.raises(SettingsInvalidError, match=r"REGISTRY_ARTEFACT_KEY_FILE.*chmod"):
        RegistryFiles.read(settings, SystemClock())


async def test_the_schema_of_manifests_is_open_to_every_service(
    registry: RegistryUnderTest,
) -> None:
    for role in ServiceRole:
        answer = await registry.call(
            registry.catalogue.GetManifestSchema, pb.GetManifestSchemaRequest(), role=role
        )
        assert "capabilities" in json.loads(answer.schema_json)["properties"]


async def test_two_checks_at_once_do_not_mix_their_findings(registry: RegistryUnderTest) -> None:
    good, bad = await new_extension(registry), await new_extension(registry)
    refusing = asyncio.create_task(bad.publish(component=STORING))
    assert set(results((await good.publish()).version.checks).values()) == {PASSED}
    with pytest.raises(ManifestInvalidError):
        await refusing
