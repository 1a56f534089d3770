"""The secrets of an install, over the wire: written by people, read by guests, seen by no one."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from shared.clock import Clock, ManualClock, SystemClock
from shared.errors import (
    ArgumentInvalidError,
    CapabilityNotGrantedError,
    ExtensionError,
    ForbiddenError,
    InstallNotFoundError,
    InvocationGrantInvalidError,
    SecretExpiredError,
    SecretNotFoundError,
    SecretsUnavailableError,
)
from shared.identifiers import InstallId, TenantId
from shared.pb.registry.v1 import install_service_pb2
from shared.pb.registry.v1 import secrets_service_pb2 as pb
from shared.tokens.service_token import ServiceRole
from tests.fixtures.grant_holders import Holder, holder_of
from tests.fixtures.keyrings import keyring_of
from tests.fixtures.postgres import TestDatabase
from tests.fixtures.registry import (
    NewRegistryHome,
    RegistryUnderTest,
    new_signing_key,
    new_tenant,
    registry_on,
)

CANARY = "canary-77ab03-ünïcode"
EXTENSION = "acme.secretive"


@pytest.fixture(scope="module")
async def published(registry: RegistryUnderTest) -> str:
    await registry.publish(name="secretive", capabilities=["cap:secrets.get", "cap:storage.kv"])
    return EXTENSION


@pytest.fixture
async def holder(registry: RegistryUnderTest, published: str) -> Holder:
    tenant = new_tenant()
    await registry.install(tenant, published)
    return await holder_of(registry, tenant, published)


@pytest.fixture
async def owner(database: TestDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.owner_dsn)
    yield connection
    await connection.close()


def value(
    key: str, text: str = CANARY, *, seconds: float | None = None, clock: Clock | None = None
) -> pb.SecretValue:
    secret = pb.SecretValue(key=key, value=text)
    if seconds is not None:
        now = (clock or SystemClock()).now()
        secret.expires_at.FromDatetime(now + timedelta(seconds=seconds))
    return secret


async def set_secrets(
    holder: Holder, *secrets: pb.SecretValue, extension: str = EXTENSION, actor: str = "alice"
) -> list[pb.SecretInfo]:
    request = pb.SetSecretsRequest(
        tenant_id=str(holder.grant.tenant_id), extension=extension, secrets=secrets, actor=actor
    )
    return list((await holder.registry.call(holder.registry.secrets.SetSecrets, request)).secrets)


async def listed(holder: Holder, extension: str = EXTENSION) -> list[pb.SecretInfo]:
    request = pb.ListSecretsRequest(tenant_id=str(holder.grant.tenant_id), extension=extension)
    return list((await holder.registry.call(holder.registry.secrets.ListSecrets, request)).secrets)


async def delete(holder: Holder, key: str, extension: str = EXTENSION) -> bool:
    request = pb.DeleteSecretRequest(
        tenant_id=str(holder.grant.tenant_id), extension=extension, key=key
    )
    answer = await holder.registry.call(holder.registry.secrets.DeleteSecret, request)
    return bool(answer.changed)


async def test_what_people_set_a_guest_gets_and_people_see_no_more(holder: Holder) -> None:
    (info,) = await set_secrets(holder, value("api.key"))
    assert (info.key, info.version, info.updated_by) == ("api.key", 1, "alice")
    assert not info.HasField("expires_at")
    assert (await holder.secret("api.key")).value == CANARY
    assert await listed(holder) == [info]
    assert CANARY not in str(await listed(holder))


async def test_setting_again_is_a_new_version_and_others_stay(holder: Holder) -> None:
    await set_secrets(holder, value("b", "1"), value("a", "1"))
    infos = await set_secrets(holder, value("b", "2"), value("c", "1"), actor="bob")
    assert [(info.key, info.version, info.updated_by) for info in infos] == [
        ("b", 2, "bob"),
        ("c", 1, "bob"),
    ]
    assert [info.key for info in await listed(holder)] == ["a", "b", "c"]
    assert await holder.secret_keys() == ["a", "b", "c"]
    assert (await holder.secret("b")).value == "2"
    assert await delete(holder, "b")
    assert not await delete(holder, "b")
    assert not await delete(holder, "no key/at all")
    with pytest.raises(SecretNotFoundError):
        await holder.secret("b")


async def test_of_concurrent_settings_each_counts(holder: Holder) -> None:
    await asyncio.gather(
        *(set_secrets(holder, value("k", f"{n}"), value(f"k{n}")) for n in range(6))
    )
    infos = {info.key: info.version for info in await listed(holder)}
    assert infos == {"k": 6, **{f"k{n}": 1 for n in range(6)}}


@pytest.mark.parametrize("key", ["", "k" * 129, "a b", "a/b", "é", "a\0", "a|b", "../x", "k\n"])
async def test_a_key_outside_its_grammar_is_refused(holder: Holder, key: str) -> None:
    with pytest.raises(ArgumentInvalidError, match=r"secrets\[1\]: a secret's key") as told:
        await set_secrets(holder, value("good"), value(key))
    assert CANARY not in str(told.value)
    assert await listed(holder) == []
    with pytest.raises(SecretNotFoundError):
        await holder.secret(key)


@pytest.mark.parametrize("text", ["", "x" * 16_385, "é" * 8193])
async def test_a_value_has_its_size(holder: Holder, text: str) -> None:
    with pytest.raises(ArgumentInvalidError, match="1 to 16384 bytes"):
        await set_secrets(holder, value("good"), value("k", text))
    assert await listed(holder) == []
    await set_secrets(holder, value("k", "é" * 8192))
    assert (await holder.secret("k")).value == "é" * 8192


async def test_how_many_are_bounded(holder: Holder) -> None:
    for secrets in ([], [value(f"k{n}") for n in range(65)], [value("k"), value("k", "2")]):
        with pytest.raises(ArgumentInvalidError):
            await set_secrets(holder, *secrets)
    for number in range(4):
        await set_secrets(holder, *(value(f"k{number}-{n}") for n in range(64)))
    with pytest.raises(ArgumentInvalidError, match="at most 256"):
        await set_secrets(holder, value("k0-0"), value("one-more"))
    assert len(await listed(holder)) == 256
    assert (await set_secrets(holder, value("k0-0")))[0].version == 2


@pytest.mark.parametrize("actor", ["x" * 300, "a\x1b[31m", "a\0"])
async def test_an_actor_is_readable(holder: Holder, actor: str) -> None:
    with pytest.raises(ArgumentInvalidError):
        await set_secrets(holder, value("k"), actor=actor)


@pytest.mark.parametrize(
    "expires_at",
    [Timestamp(seconds=0), Timestamp(seconds=-(10**12)), Timestamp(seconds=2**62),
     Timestamp(seconds=2 * 10**9, nanos=-1), Timestamp(seconds=2 * 10**9, nanos=2**31 - 1)],
)  # fmt: skip
async def test_an_expiry_is_a_moment_to_come(holder: Holder, expires_at: Timestamp) -> None:
    secret = pb.SecretValue(key="k", value=CANARY, expires_at=expires_at)
    with pytest.raises(ArgumentInvalidError):
        await set_secrets(holder, secret)
    assert await listed(holder) == []


async def test_a_secret_that_has_expired_is_never_served(
    database: TestDatabase, new_registry_home: NewRegistryHome
) -> None:
    clock = ManualClock(SystemClock().now())
    async with registry_on(new_registry_home(), database, clock=clock) as registry:
        registry.follow(clock)
        await registry.publish(name="expiring", capabilities=["cap:secrets.get"])
        tenant = new_tenant()
        await registry.install(tenant, "acme.expiring")

        async def fresh() -> Holder:
            return await holder_of(registry, tenant, "acme.expiring")

        answer = await registry.resolve(tenant, "acme.expiring")
        named = pb.SetSecretsRequest(
            tenant_id=str(tenant),
            extension="acme.expiring",
            secrets=[value("soon", seconds=40, clock=clock), value("never")],
        )
        await registry.call(registry.secrets.SetSecrets, named)
        holder = Holder(registry, answer.invocation_grant)
        told = await holder.secret("soon")
        left = told.cache_until.ToDatetime() - clock.now().replace(tzinfo=None)
        assert left == timedelta(seconds=30)
        clock.advance(20)
        told = await (await fresh()).secret("soon")
        left = told.cache_until.ToDatetime() - clock.now().replace(tzinfo=None)
        assert left == timedelta(seconds=20)  # never past the expiry
        clock.advance(21)
        with pytest.raises(SecretExpiredError):
            await (await fresh()).secret("soon")
        assert (await (await fresh()).secret("never")).value == CANARY


async def test_an_expired_secret_is_not_in_the_list_of_a_guest(holder: Holder, owner: Any) -> None:
    await set_secrets(holder, value("soon", seconds=3600), value("never"))
    await owner.execute(
        "update tenant_extension_install_secrets set expires_at = now() "
        "where tenant_id = $1 and key = 'soon'",
        holder.grant.tenant_id,
    )
    assert await holder.secret_keys() == ["never"]
    assert [info.key for info in await listed(holder)] == ["never", "soon"]
    with pytest.raises(SecretExpiredError):
        await holder.secret("soon")
    await set_secrets(holder, value("soon"))  # without an expiry it has none any more
    assert (await holder.secret("soon")).value == CANARY


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        (lambda holder: Holder(holder.registry, ""), InvocationGrantInvalidError),
        (lambda holder: holder.with_grant(new_signing_key()), InvocationGrantInvalidError),
        (lambda holder: holder.with_grant(expires_at=SystemClock().now() - timedelta(seconds=11)),
         InvocationGrantInvalidError),
        (lambda holder: holder.with_grant(capabilities=frozenset({"cap:storage.kv"})),
         CapabilityNotGrantedError),
        (lambda holder: holder.with_grant(install_id=InstallId(uuid4())), SecretNotFoundError),
        (lambda holder: holder.with_grant(tenant_id=TenantId(uuid4())), SecretNotFoundError),
    ],
    ids=["none", "forged", "expired", "capability", "install", "tenant"],
)  # fmt: skip
async def test_without_a_good_grant_nothing_is_served(
    holder: Holder, spoil: Callable[[Holder], Holder], refused: type[ExtensionError]
) -> None:
    await set_secrets(holder, value("k"))
    with pytest.raises(refused) as told:
        await spoil(holder).secret("k")
    assert CANARY not in str(told.value)


async def test_a_disabled_install_gets_no_secret(holder: Holder) -> None:
    await set_secrets(holder, value("k"))
    request = install_service_pb2.DisableRequest(
        tenant_id=str(holder.grant.tenant_id), extension=EXTENSION
    )
    await holder.registry.call(holder.registry.installs.Disable, request)
    with pytest.raises(SecretNotFoundError):
        await holder.secret("k")
    assert await holder.secret_keys() == []


async def test_guests_do_not_write_and_people_do_not_read(holder: Holder) -> None:
    registry = holder.registry
    for method, request, roles in (
        (registry.secrets.SetSecrets, pb.SetSecretsRequest(), ("RUNNER", "GATEWAY")),
        (registry.secrets.DeleteSecret, pb.DeleteSecretRequest(), ("RUNNER", "GATEWAY")),
        (registry.secrets.ListSecrets, pb.ListSecretsRequest(), ("RUNNER", "GATEWAY")),
        (registry.secrets.GetSecret, pb.GetSecretRequest(key="k"), ("OPERATOR", "GATEWAY")),
        (registry.secrets.ListSecretKeys, pb.ListSecretKeysRequest(), ("OPERATOR", "GATEWAY")),
    ):
        for role in roles:
            with pytest.raises(ForbiddenError):
                await registry.call(
                    method, request, role=ServiceRole[role], grant=holder.grant_token
                )


async def test_another_tenants_secrets_are_as_if_they_were_not(holder: Holder) -> None:
    await set_secrets(holder, value("k"))
    stranger = holder.with_grant(tenant_id=new_tenant())
    tellings = set()
    for extension in (
        str(holder.grant.install_id), str(holder.grant.registry_id), EXTENSION, "no.such",
        str(uuid4()), "", "'; drop table x --",
    ):  # fmt: skip
        for work in (
            set_secrets(stranger, value("k", "theirs"), extension=extension),
            listed(stranger, extension),
            delete(stranger, "k", extension),
        ):
            with pytest.raises(InstallNotFoundError) as told:
                await work
            tellings.add((str(told.value), tuple(told.value.metadata.items())))
    assert len(tellings) == 1
    assert (await holder.secret("k")).value == CANARY


async def test_a_secret_that_was_moved_in_the_database_does_not_open(
    holder: Holder, owner: Any
) -> None:
    await set_secrets(holder, value("mine"), value("other", "other"))
    await owner.execute(
        "update tenant_extension_install_secrets s set ciphertext = o.ciphertext "
        "from tenant_extension_install_secrets o "
        "where s.tenant_id = $1 and o.tenant_id = $1 and s.key = 'other' and o.key = 'mine'",
        holder.grant.tenant_id,
    )
    with pytest.raises(SecretsUnavailableError, match="cannot be opened"):
        await holder.secret("other")


async def test_the_plaintext_is_nowhere(
    holder: Holder, owner: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    await set_secrets(holder, value("k"), value("bad", seconds=5))
    await holder.secret("k")
    told = []
    for work in (
        set_secrets(holder, value(CANARY)),  # a value in the place of the key
        set_secrets(holder, value("k"), actor=CANARY + "\0"),
        set_secrets(holder, value("k"), extension=CANARY),
        holder.secret(CANARY),
    ):
        with pytest.raises(ExtensionError) as error:
            await work
        told.append(f"{error.value!r} {error.value.metadata} {error.value.faults}")
    tables = await owner.fetch(
        "select table_name from information_schema.tables where table_schema = 'public'"
    )
    dump = ""
    for (table,) in tables:
        rows = await owner.fetch(f'select t::text from "{table}" t')  # noqa: S608 - our tables
        dump += "".join(row[0] for row in rows)
    out, err = capfd.readouterr()
    assert "keys_count" not in dump  # rows, not columns
    assert str(holder.grant.install_id) in dump
    ascii_part = CANARY[:13]
    for text in (dump, out, err, *told):
        assert ascii_part not in text
        assert ascii_part.encode().hex() not in text  # as bytea is shown


async def test_without_a_keyring_or_a_vault_it_is_said_what_to_set(
    database: TestDatabase, new_registry_home: NewRegistryHome
) -> None:
    async with registry_on(
        new_registry_home(),
        database,
        change=lambda settings: settings.model_copy(update={"secrets_keyring_file": None}),
    ) as registry:
        await registry.publish(name="keyless", capabilities=["cap:secrets.get"])
        tenant = new_tenant()
        await registry.install(tenant, "acme.keyless")
        holder = await holder_of(registry, tenant, "acme.keyless")
        with pytest.raises(SecretsUnavailableError, match="REGISTRY_SECRETS_KEYRING_FILE"):
            await set_secrets(holder, value("k"), extension="acme.keyless")
        assert await listed(holder, "acme.keyless") == []
        assert await holder.secret_keys() == []


async def test_resealing_moves_every_tenant_to_the_current_key(
    new_database: Any, new_registry_home: NewRegistryHome
) -> None:
    database, home = await new_database(), new_registry_home()
    keyring = home.root / "keyring.json"

    def reseal() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "registry_service", "reseal"],
            env={
                "PATH": os.defpath,
                "REGISTRY_DATABASE_URL": database.application_dsn,
                "REGISTRY_SECRETS_KEYRING_FILE": str(keyring),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    clock = ManualClock(SystemClock().now())
    async with registry_on(home, database, clock=clock) as registry:
        registry.follow(clock)
        await registry.publish(name="secretive", capabilities=["cap:secrets.get"])
        tenants = [new_tenant() for _ in range(3)]
        for tenant in tenants:
            await registry.install(tenant, EXTENSION)
            holder = await holder_of(registry, tenant, EXTENSION)
            await set_secrets(holder, *(value(f"k{n:03}", f"{tenant} {n}") for n in range(50)))

        keyring.write_bytes(keyring_of("second", "first"))
        clock.advance(6)
        done = await asyncio.to_thread(reseal)
        assert done.stdout == "sealed anew: 150, current already: 0, failed: 0\n"
        assert done.returncode == 0
        assert (await asyncio.to_thread(reseal)).stdout.startswith("sealed anew: 0, ")

        keyring.write_bytes(keyring_of("second"))  # the old key is gone
        clock.advance(6)
        for tenant in tenants:
            holder = await holder_of(registry, tenant, EXTENSION)
            assert (await holder.secret("k049")).value == f"{tenant} 49"
            assert {info.version for info in await listed(holder)} == {1}

        keyring.write_bytes(keyring_of("third"))  # taken away too early
        done = await asyncio.to_thread(reseal)
        assert done.stdout == "sealed anew: 0, current already: 0, failed: 150\n"
        assert done.returncode == 1
        assert "the keyring does not have its key" in done.stderr

        keyring.write_bytes(b"{")
        done = await asyncio.to_thread(reseal)
        assert done.returncode == 2
        assert done.stderr.startswith("REGISTRY_SECRETS_KEYRING_FILE: ")
        assert "Traceback" not in done.stderr
