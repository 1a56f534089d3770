"""Publishers, the life cycle, the audit log and searching from the command line."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from extctl.files import create_private_file
from extctl.stack_file import StackFile, write_stack_file
from shared.tokens.keys import SigningKey
from shared.tokens.service_token import ServiceRole
from shared.trust.keys import write_private_key
from tests.fixtures.catalogue import Tool
from tests.fixtures.command_line import ExtCtl, Outcome
from tests.fixtures.registry import COMPONENT, RegistryUnderTest, new_tenant


def pem(key: SigningKey) -> bytes:
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class CommandLine:
    """`extctl` against the registry of the module, off the event loop."""

    def __init__(self, extctl: ExtCtl, stack: Path) -> None:
        self._extctl = extctl
        self.stack = stack

    async def run(self, *arguments: str | Path) -> Outcome:
        return await asyncio.to_thread(self._extctl, *arguments, "--stack", self.stack)

    async def result(self, *arguments: str | Path) -> Any:
        outcome = await self.run(*arguments, "--json")
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out[outcome.out.index("{") :])  # the registry may log before it

    async def error(self, *arguments: str | Path) -> Any:
        outcome = await self.run(*arguments, "--json")
        assert outcome.code == 1, outcome
        return outcome.error

    async def shown(self, *arguments: str | Path) -> str:
        outcome = await self.run(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome.out


@pytest.fixture
def line(registry: RegistryUnderTest, extctl: ExtCtl, tmp_path: Path) -> CommandLine:
    stack = tmp_path / "stack"
    stack.mkdir()
    home = registry.home
    create_private_file(stack / "operator.pem", pem(home.service_keys[ServiceRole.OPERATOR]))
    write_private_key(stack / "publisher.pem", home.publisher_key)
    file = StackFile(
        gateway_url="http://127.0.0.1:9",
        registry_target=f"127.0.0.1:{registry.registry.port}",
        operator_key_file=stack / "operator.pem",
        trust_bundle_file=home.root / "trust.pem",
        publisher_key_file=stack / "publisher.pem",
    )
    write_stack_file(stack, file)
    return CommandLine(extctl, stack)


@pytest.fixture
def owner_key(registry: RegistryUnderTest, tmp_path: Path) -> Path:
    """The key of acme's owner."""
    path = tmp_path / "owner.pem"
    create_private_file(path, pem(registry.home.owner_key))
    return path


def renamed(extension: Path, **changed: str) -> Path:
    """The extension with another manifest, and a program that the registry takes."""
    manifest = json.loads((extension / "manifest.json").read_text())
    (extension / "manifest.json").write_text(json.dumps({**manifest, **changed}))
    (extension / "dist" / "main.wasm").write_bytes(COMPONENT)
    return extension


async def test_the_development_key_gets_the_names_that_it_publishes_under_first(
    line: CommandLine, extension: Path
) -> None:
    publisher = f"p{uuid4().hex}"
    source = renamed(extension, publisher=publisher)
    told = await line.run("publish", source)
    assert told.code == 0, told.err
    assert f'Registered the publisher "{publisher}"' in told.err
    again = await line.run("publish", renamed(source, version="1.1.0"))
    assert again.code == 0
    assert "Registered" not in again.err
    owners = (await line.result("publisher", "show", publisher))["owners"]
    assert len(owners) == 1


async def test_any_other_key_gets_a_name_by_being_registered(
    line: CommandLine, extension: Path
) -> None:
    publisher = f"p{uuid4().hex}"
    source = renamed(extension, publisher=publisher)
    await line.result("keygen", "--out", "mine.pem")
    signing = line.stack / "publisher.pem"
    missing = await line.error("publish", source, "--key", signing, "--owner-key", "mine.pem")
    assert missing["reason"] == "PUBLISHER_NOT_FOUND"
    assert "extctl publisher create" in missing["hint"]
    made = await line.result("publisher", "create", publisher, "--owner-key", "mine.pem")
    assert made["publisher"] == publisher
    refused = await line.error("publish", source)
    assert refused["reason"] == "PUBLISHER_NOT_OWNED"
    assert "--owner-key" in refused["hint"]
    published = await line.result("publish", source, "--key", signing, "--owner-key", "mine.pem")
    assert published["version"] == "1.0.0"


async def test_a_key_that_owns_nothing_is_told_apart(line: CommandLine, extension: Path) -> None:
    await line.result("keygen", "--out", "p256.pem", "--algorithm", "p256")
    refused = await line.error("publish", extension, "--key", "p256.pem", "--owner-key", "p256.pem")
    assert "no Ed25519 key" in refused["message"]
    missing = await line.error("publisher", "create", "x", "--key", "missing.pem")
    assert "missing.pem" in missing["message"]


async def test_owners_are_added_by_their_public_keys_and_the_last_one_stays(
    line: CommandLine, tmp_path: Path
) -> None:
    publisher = f"p{uuid4().hex}"
    for name in ("one", "two"):
        await line.result("keygen", "--out", f"{name}.pem")
    one = await line.result("publisher", "create", publisher, "--key", "one.pem")
    jwk = await line.shown("publisher", "public-key", "--key", "two.pem")
    (tmp_path / "two.jwk").write_text(jwk)
    both = await line.result(
        "publisher", "add-owner", publisher, "--add", "two.jwk", "--owner-key", "one.pem"
    )
    assert len(both["owners"]) == 2
    first = one["owners"][0]["key_id"]
    left = await line.result(
        "publisher", "remove-owner", publisher, "--remove", first, "--owner-key", "two.pem"
    )
    second = left["owners"][0]["key_id"]
    refused = await line.error(
        "publisher", "remove-owner", publisher, "--remove", second, "--owner-key", "two.pem"
    )
    assert refused["reason"] == "LAST_OWNER"
    (tmp_path / "bad.jwk").write_bytes(b"\xff" * 5000)
    bad = await line.error(
        "publisher", "add-owner", publisher, "--add", "bad.jwk", "--owner-key", "two.pem"
    )
    assert bad["reason"] == "ARGUMENT_INVALID"


async def test_an_extension_is_offered_and_accepted(
    line: CommandLine, tool: Tool, owner_key: Path
) -> None:
    publisher = f"p{uuid4().hex}"
    await line.result("keygen", "--out", "theirs.pem")
    await line.result("publisher", "create", publisher, "--key", "theirs.pem")
    early = await line.error(
        "publisher", "accept", tool.extension, "--to", publisher, "--key", "theirs.pem"
    )
    assert early["reason"] == "TRANSFER_NOT_FOUND"
    offered = await line.result(
        "publisher", "offer", tool.extension, "--to", publisher, "--owner-key", owner_key
    )
    assert offered["expires_at"]
    accepted = await line.result(
        "publisher", "accept", tool.extension, "--to", publisher, "--key", "theirs.pem"
    )
    assert accepted == {"extension": f"{publisher}.{tool.name}"}


async def test_what_becomes_of_a_version_can_be_said_and_taken_back(
    line: CommandLine, tool: Tool, owner_key: Path
) -> None:
    name = tool.extension
    deprecated = await line.result(
        "deprecate", name, "1.0.0", "--reason", "slow", "--use", "1.1.0", "--actor", "ada"
    )
    assert (deprecated["deprecation"], deprecated["replacement"]) == ("slow", "1.1.0")
    assert (await line.result("undeprecate", name, "1.0.0"))["deprecation"] == ""
    yanked = await line.result(
        "yank", name, "1.1.0", "--reason", "broken", "--owner-key", owner_key
    )
    assert yanked["status"] == "yanked"
    found = await line.result("search", tool.name)
    assert [(each["extension"], each["latest_version"]) for each in found["entries"]] == [
        (name, "1.0.0")
    ]
    assert name in await line.shown("search", tool.name, "--status", "yanked")
    assert (await line.result("search", tool.name, "--status", "quarantined"))["entries"] == []
    assert (await line.result("unyank", name, "1.1.0"))["status"] == "published"
    events = (await line.result("audit", name))["events"]
    assert [event["action"] for event in events[:4]] == [
        "version.unyanked", "version.yanked", "version.undeprecated", "version.deprecated",
    ]  # fmt: skip
    assert events[3]["actor"] == "operator:ada"
    assert events[1]["actor"].startswith("owner:")
    assert len((await line.result("audit", name, "--limit", "2"))["events"]) == 2
    assert "version.yanked" in await line.shown("audit", name)


async def test_a_quarantine_prints_its_receipt(line: CommandLine, tool: Tool) -> None:
    await tool.install("1.0.0", new_tenant())
    unsaid = await line.error("quarantine", tool.extension, "1.0.0")
    assert "reason" in unsaid["message"]
    receipt = await line.result(
        "quarantine", tool.extension, "1.0.0", "--reason", "steals tokens", "--actor", "ada"
    )
    assert (receipt["installs"], receipt["enabled_installs"]) == (1, 1)
    assert receipt["actor"] == "operator:ada"
    shown = await line.shown("receipt", receipt["receipt_id"])
    assert "steals tokens" in shown
    assert "1, of which 1 were enabled" in shown
    lifted = await line.result("quarantine", tool.extension, "1.0.0", "--lift")
    assert lifted["status"] == "published"
    assert (await line.result("receipt", receipt["receipt_id"]))["lifted_at"]
    missing = await line.error("receipt", str(uuid4()))
    assert missing["reason"] == "QUARANTINE_NOT_FOUND"


@pytest.mark.parametrize(
    "arguments",
    [
        ("yank", "no.such", "1.0.0", "--reason", "x"),
        ("yank", "acme", "1.0.0", "--reason", "x"),
        ("deprecate", "no.such", "1.0.0", "--reason", "x"),
        ("quarantine", "no.such", "1.0.0", "--reason", "x"),
        ("quarantine", "no.such", "1.0.0", "--lift"),
        ("audit", "no such thing"),
        ("search", "--capability", "launch.rockets"),
        ("publisher", "show", "no-such-publisher"),
        ("publisher", "show", "No Such"),
        ("publisher", "offer", "no.such", "--to", "acme"),
    ],
    ids=" ".join,
)
async def test_what_cannot_be_done_is_said_with_a_reason(
    line: CommandLine, arguments: tuple[str, ...]
) -> None:
    error = await line.error(*arguments)
    assert error["reason"]
    assert error["message"]
