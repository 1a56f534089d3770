"""Ports, the SCRAM verifier, and what a service of the stack gets to see."""

import base64
import hashlib
import hmac
import socket
from pathlib import Path

from extctl.dev_stack.databases import Database
from extctl.dev_stack.keys import make_keys
from extctl.dev_stack.ports import FIRST, LAST, Ports, is_free
from extctl.dev_stack.server_database import scram_verifier
from extctl.dev_stack.services import StackLayout, registry_spec


def test_no_port_is_given_twice() -> None:
    ports = Ports()
    taken = [ports.take() for _ in range(100)]
    assert len(set(taken)) == 100
    assert all(FIRST <= port <= LAST for port in taken)


def test_a_port_with_a_server_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not is_free(server.getsockname()[1])


def test_the_scram_verifier_fits_the_exchange_of_rfc_7677() -> None:
    """The RFC prints a whole exchange; both proofs in it must follow from our verifier."""
    verifier = scram_verifier("pencil", salt=base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    head, stored_and_server = verifier.split("$", 2)[0], verifier.split("$", 2)[2]
    stored, server = map(base64.b64decode, stored_and_server.split(":"))
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    exchange = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    ).encode()
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(stored, exchange, "sha256")
    client = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert head == "SCRAM-SHA-256"
    assert hashlib.sha256(client).digest() == stored
    expected = base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert hmac.digest(server, exchange, "sha256") == expected


def test_a_service_sees_its_settings_and_little_else(tmp_path: Path) -> None:
    layout = StackLayout(
        directory=tmp_path,
        keys=make_keys(tmp_path / "keys", runners=1),
        trust_bundle=tmp_path / "trust.pem",
        bundle_store_url="file:///bundles",
        environment={
            "PATH": "/bin",
            "HOME": "/home",
            "EDITOR": "vi",
            "GITHUB_TOKEN": "t",
            "REGISTRY_LOG_LEVEL": "DEBUG",
            "REGISTRY_LISTEN": "0.0.0.0:1",
            "RUNNER_MEMORY_MB": "64",
            "AWS_ACCESS_KEY_ID": "k",
        },
    )
    database = Database(application_url="app", owner_url="owner")
    seen = registry_spec(layout, Ports(), database=database).environment
    assert seen["REGISTRY_LOG_LEVEL"] == "DEBUG"
    assert seen["REGISTRY_LISTEN"].startswith("127.0.0.1:")
    assert seen["AWS_ACCESS_KEY_ID"] == "k"
    assert not {"EDITOR", "GITHUB_TOKEN", "RUNNER_MEMORY_MB"} & set(seen)
