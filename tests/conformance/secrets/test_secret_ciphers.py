"""What every `SecretCipher` must do: the keyring's, the vault's (a real OpenBao), and both."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from registry_service.secrets.cipher import CipherChoice, SecretCipher
from registry_service.secrets.keyring import KeyringFile
from registry_service.secrets.keyring_cipher import KeyringCipher
from registry_service.secrets.model import MAX_VALUE_BYTES, Sealed, SecretPlace
from registry_service.secrets.vault import open_vault
from shared.clock import ManualClock, SystemClock
from shared.errors import SecretsUnavailableError
from shared.identifiers import InstallId, TenantId
from shared.secret import Secret
from tests.fixtures.keyrings import keyring_of
from tests.fixtures.vault import VaultServer

CANARY = "canary-9f1c7d"


@dataclass(frozen=True)
class Backend:
    """A cipher, how its operator replaces the key, and another one with other keys."""

    cipher: SecretCipher
    rotate: Callable[[], Awaitable[None]]
    retire: Callable[[], Awaitable[None]]
    """Takes all but the current key away."""
    stranger: SecretCipher


@pytest.fixture
async def keyring_backend(tmp_path: Path) -> Backend:
    clock = ManualClock(SystemClock().now())
    path, other = tmp_path / "keyring.json", tmp_path / "other.json"
    path.write_bytes(keyring_of("one"))
    other.write_bytes(keyring_of("other").replace(b'"other"', b'"one"'))

    async def change(*keys: str) -> None:
        path.write_bytes(keyring_of(*keys))
        clock.advance(6)

    return Backend(
        cipher=KeyringCipher(file=KeyringFile(path=path, clock=clock)),
        rotate=lambda: change("two", "one"),
        retire=lambda: change("two"),
        stranger=KeyringCipher(file=KeyringFile(path=other, clock=clock)),
    )


@pytest.fixture
async def vault_backend(vault_server: VaultServer) -> AsyncIterator[Backend]:
    name, other = await vault_server.new_key(), await vault_server.new_key()

    async def rotate() -> None:
        await vault_server.ask("POST", f"transit/keys/{name}/rotate", {})

    async def retire() -> None:
        await vault_server.ask("POST", f"transit/keys/{name}/config", {"min_decryption_version": 2})

    async with (
        open_vault(vault_server.key(name)) as cipher,
        open_vault(vault_server.key(other)) as stranger,
    ):
        yield Backend(cipher, rotate, retire, stranger)


@pytest.fixture
def both_backend(keyring_backend: Backend, vault_backend: Backend) -> Backend:
    return replace(vault_backend, cipher=CipherChoice(vault_backend.cipher, keyring_backend.cipher))


@pytest.fixture(params=["keyring_backend", "vault_backend", "both_backend"])
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.getfixturevalue(request.param)
    return found


def place_of(**changed: object) -> SecretPlace:
    fields: dict[str, object] = {
        "tenant_id": TenantId(uuid4()), "install_id": InstallId(uuid4()), "key": "api.key",
        "version": 1, **changed,
    }  # fmt: skip
    return SecretPlace(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["x", CANARY, "é😀\0\n", "x" * MAX_VALUE_BYTES])
async def test_what_was_sealed_opens_in_its_place(backend: Backend, text: str) -> None:
    place = place_of()
    sealed = await backend.cipher.seal(Secret(text), place)
    assert sealed.algorithm == backend.cipher.algorithm
    assert text.encode() not in sealed.ciphertext or len(text) == 1
    assert (await backend.cipher.open(sealed, place)).reveal() == text
    assert await backend.cipher.is_current(sealed)


async def test_the_same_text_never_looks_the_same(backend: Backend) -> None:
    place = place_of()
    sealed = [await backend.cipher.seal(Secret("x"), place) for _ in range(20)]
    assert len({each.ciphertext for each in sealed}) == 20


@pytest.mark.parametrize("changed", ["tenant_id", "install_id", "key", "version"])
async def test_a_ciphertext_that_was_moved_does_not_open(backend: Backend, changed: str) -> None:
    place = place_of()
    sealed = await backend.cipher.seal(Secret(CANARY), place)
    elsewhere = {
        "tenant_id": TenantId(uuid4()), "install_id": InstallId(uuid4()), "key": "api.kez",
        "version": 2,
    }[changed]  # fmt: skip
    with pytest.raises(SecretsUnavailableError, match="cannot be opened"):
        await backend.cipher.open(sealed, place_of(**{**vars_of(place), changed: elsewhere}))


def vars_of(place: SecretPlace) -> dict[str, object]:
    return {name: getattr(place, name) for name in ("tenant_id", "install_id", "key", "version")}


async def test_a_ciphertext_that_was_changed_does_not_open(backend: Backend) -> None:
    place = place_of()
    sealed = await backend.cipher.seal(Secret(CANARY), place)
    for at in (0, 12, len(sealed.ciphertext) // 2, len(sealed.ciphertext) - 3):
        spoiled = bytearray(sealed.ciphertext)
        spoiled[at] ^= 1
        with pytest.raises(SecretsUnavailableError):
            await backend.cipher.open(replace(sealed, ciphertext=bytes(spoiled)), place)
    for text in (b"", b"x", sealed.ciphertext[:-1], b"vault:v1:", b"\xff" * 40):
        with pytest.raises(SecretsUnavailableError):
            await backend.cipher.open(replace(sealed, ciphertext=text), place)


async def test_other_keys_do_not_open_it(backend: Backend) -> None:
    place = place_of()
    sealed = await backend.cipher.seal(Secret(CANARY), place)
    with pytest.raises(SecretsUnavailableError):
        await backend.stranger.open(sealed, place)


async def test_an_algorithm_that_nobody_has_does_not_open(backend: Backend) -> None:
    sealed = Sealed(algorithm="rot13", key_id="one", ciphertext=b"pnanel")
    if isinstance(backend.cipher, CipherChoice):
        with pytest.raises(SecretsUnavailableError):
            await backend.cipher.open(sealed, place_of())
    assert not await backend.cipher.is_current(sealed)


async def test_an_old_key_opens_until_it_is_taken_away(backend: Backend) -> None:
    place = place_of()
    old = await backend.cipher.seal(Secret(CANARY), place)
    await backend.rotate()
    new = await backend.cipher.seal(Secret(CANARY), place)
    assert not await backend.cipher.is_current(old)
    assert await backend.cipher.is_current(new)
    assert (await backend.cipher.open(old, place)).reveal() == CANARY
    await backend.retire()
    assert (await backend.cipher.open(new, place)).reveal() == CANARY
    with pytest.raises(SecretsUnavailableError):
        await backend.cipher.open(old, place)


async def test_no_failure_tells_the_secret(
    backend: Backend, capfd: pytest.CaptureFixture[str]
) -> None:
    place = place_of()
    sealed = await backend.cipher.seal(Secret(CANARY), place)
    with pytest.raises(SecretsUnavailableError) as told:
        await backend.stranger.open(sealed, place)
    shown = repr((sealed, place, backend.cipher, told.value, told.value.metadata)) + str(told.value)
    out, err = capfd.readouterr()
    assert "cannot be opened" in out + err  # the log says why
    assert CANARY not in shown + out + err
    assert told.value.__cause__ is None


async def test_one_backend_takes_over_from_the_other(
    keyring_backend: Backend, vault_backend: Backend
) -> None:
    place = place_of()
    old = await keyring_backend.cipher.seal(Secret(CANARY), place)
    both = CipherChoice(vault_backend.cipher, keyring_backend.cipher)
    assert not await both.is_current(old)
    new = await both.seal(await both.open(old, place), place)
    assert await both.is_current(new)
    assert (await vault_backend.cipher.open(new, place)).reveal() == CANARY
