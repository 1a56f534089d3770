"""A vault that cannot be used: told in words, in time, and without a secret or a token."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from extctl.dev_stack.ports import Ports
from registry_service.secrets.model import Sealed, SecretPlace
from registry_service.secrets.vault import VaultKey, open_vault
from shared.errors import SecretsUnavailableError
from shared.identifiers import InstallId, TenantId
from shared.secret import Secret
from tests.fixtures.vault import VaultServer

CANARY, TOKEN = "canary-51d2aa", "hvs.canary-token"
PLACE = SecretPlace(tenant_id=TenantId(uuid4()), install_id=InstallId(uuid4()), key="k", version=1)
SEALED = Sealed(algorithm="vault-transit", key_id="transit/k:v1", ciphertext=b"vault:v1:AAAA")


@asynccontextmanager
async def answering(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], tmp_path: Path
) -> AsyncIterator[VaultKey]:
    """Something at the vault's address that is no vault."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = Ports().take()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    (tmp_path / "token").write_text(TOKEN)
    try:
        yield VaultKey(
            address=f"http://127.0.0.1:{port}",
            mount="transit",
            key="k",
            token_file=tmp_path / "token",
        )
    finally:
        await runner.cleanup()


async def refusal(key: VaultKey, capfd: pytest.CaptureFixture[str]) -> str:
    """What the log says when neither sealing nor opening works."""
    capfd.readouterr()
    async with open_vault(key) as cipher:
        for work in (
            cipher.seal(Secret(CANARY), PLACE),
            cipher.open(SEALED, PLACE),
            cipher.is_current(SEALED),
        ):
            with pytest.raises(SecretsUnavailableError) as told:
                await work
            assert CANARY not in str(told.value) + repr(told.value.metadata)
            assert TOKEN not in str(told.value) + repr(told.value.metadata)
    out, err = capfd.readouterr()
    assert CANARY not in out + err
    assert TOKEN not in out + err
    return out + err


@pytest.mark.parametrize(
    ("text", "status", "why"),
    [
        (f'{{"errors":["{CANARY}"]}}', 403, "answered 403"),
        (f'{{"errors":["{CANARY}"]}}', 404, "answered 404"),
        ("", 503, "answered 503"),
        (CANARY, 200, "none of a vault"),
        ("[]", 200, "none of a vault"),
        ('{"data":[]}', 200, "none of a vault"),
        ("[" * 60_000, 200, "none of a vault"),
        ('{"data":{"ciphertext":"' + "x" * 70_000 + '"}}', 200, "none of a vault"),
    ],
)
async def test_what_a_vault_would_not_say_is_not_believed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, status: int, why: str
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    async with answering(handler, tmp_path) as key:
        assert why in await refusal(key, capfd)


@pytest.mark.parametrize(
    "data", ["{}", '{"ciphertext": 1, "plaintext": 1}', '{"ciphertext": "x", "plaintext": "?"}',
             '{"ciphertext": "vault:v0:AA", "plaintext": "/w=="}'],
)  # fmt: skip
async def test_data_that_is_none_is_refused(tmp_path: Path, data: str) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=f'{{"data": {data}}}')

    async with answering(handler, tmp_path) as key, open_vault(key) as cipher:
        with pytest.raises(SecretsUnavailableError):
            await cipher.seal(Secret(CANARY), PLACE)
        with pytest.raises(SecretsUnavailableError):
            await cipher.open(SEALED, PLACE)


async def test_the_token_goes_nowhere_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reached: list[Any] = []

    async def thief(request: web.Request) -> web.Response:
        reached.append(request.headers)
        return web.Response()

    async with answering(thief, tmp_path) as elsewhere:

        async def handler(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"location": elsewhere.address + request.path})

        async with answering(handler, tmp_path) as key:
            assert "answered 307" in await refusal(key, capfd)
    assert not reached


async def test_a_vault_that_is_slow_or_away_is_told_in_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry_service.secrets.vault.TIMEOUT_SECONDS", 0.2)

    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with answering(handler, tmp_path) as key:
        async with asyncio.timeout(5):
            assert "does not answer" in await refusal(key, capfd)
    assert "does not answer" in await refusal(key, capfd)  # the port is closed now


@pytest.mark.parametrize("token", [b"", b"\n", b"\xff\xfe", b"a\nb", None])
async def test_a_token_file_without_a_token_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], token: bytes | None
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        raise AssertionError("nothing may be sent without a token")

    async with answering(handler, tmp_path) as key:
        if token is None:
            key.token_file.unlink()
        else:
            key.token_file.write_bytes(token)
        assert "token file" in await refusal(key, capfd)


async def test_a_real_vault_refuses_a_wrong_token_mount_or_key(
    vault_server: VaultServer, capfd: pytest.CaptureFixture[str]
) -> None:
    name = await vault_server.new_key()
    assert "answered 403" in await refusal(vault_server.key(name, token=TOKEN), capfd)
    assert "answered 404" in await refusal(vault_server.key(name, mount="elsewhere"), capfd)


async def test_a_renewed_token_is_used_at_once(vault_server: VaultServer) -> None:
    key = vault_server.key(await vault_server.new_key(), token="expired")
    async with open_vault(key) as cipher:
        with pytest.raises(SecretsUnavailableError):
            await cipher.seal(Secret(CANARY), PLACE)
        key.token_file.write_text(vault_server.root_token)
        sealed = await cipher.seal(Secret(CANARY), PLACE)
        assert (await cipher.open(sealed, PLACE)).reveal() == CANARY


async def test_the_rights_that_the_documentation_names_are_enough(
    vault_server: VaultServer,
) -> None:
    name = await vault_server.new_key()
    rules = {
        f"transit/encrypt/{name}": "update",
        f"transit/decrypt/{name}": "update",
        f"transit/keys/{name}": "read",
    }
    policy = "".join(
        f'path "{path}" {{ capabilities = ["{right}"] }}\n' for path, right in rules.items()
    )
    await vault_server.ask("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    made = await vault_server.ask("POST", "auth/token/create", {"policies": [name]})
    async with open_vault(vault_server.key(name, token=made["auth"]["client_token"])) as cipher:
        sealed = await cipher.seal(Secret(CANARY), PLACE)
        assert await cipher.is_current(sealed)
        assert (await cipher.open(sealed, PLACE)).reveal() == CANARY
