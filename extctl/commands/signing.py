"""`extctl keygen`, `pack`, `sign`: what a publisher does before publishing."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from extctl.bundling import CheckedBundle, open_bundle, pack_directory, signature_path
from extctl.console import Console, facts
from extctl.files import replace_public_file
from extctl.options import DEFAULT_STACK, AsJson, Stack
from extctl.signing_chain import read_chain
from extctl.stack_file import read_stack_file
from extctl.trust_file import trust_key
from shared.bundles.layout import BUNDLE_NAME
from shared.clock import SystemClock
from shared.trust.keys import (
    generate_key,
    public_pem,
    read_private_key,
    sign_statement,
    write_private_key,
)
from shared.trust.public_key import Algorithm, key_id_of

DEFAULT_KEY: Final = Path("publisher.pem")


class KeyKind(StrEnum):
    """What `keygen` can make."""

    ED25519 = "ed25519"
    P256 = "p256"
    RSA3072 = "rsa3072"


_ALGORITHMS: Final = {
    KeyKind.ED25519: Algorithm.ED25519,
    KeyKind.P256: Algorithm.ECDSA_P256,
    KeyKind.RSA3072: Algorithm.RSA_PSS,
}

Key = Annotated[Path, typer.Option("--key", metavar="PEM", help="The publisher's private key.")]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help=f"A {BUNDLE_NAME}.")]


def keygen(
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="PEM", help="Where to write the private key.")
    ] = DEFAULT_KEY,
    algorithm: Annotated[
        KeyKind, typer.Option("--algorithm", help="Which kind of key.")
    ] = KeyKind.ED25519,
    publisher: Annotated[
        list[str] | None,
        typer.Option("--publisher", help="For whom alone it may sign (repeatable)."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Also add it to the running stack's trust bundle.")
    ] = False,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Make a signing key; print its public half as an entry of a trust bundle."""
    console = Console(as_json=as_json)
    publishers = tuple(publisher or ())
    key = generate_key(_ALGORITHMS[algorithm])
    entry = public_pem(key, publishers=publishers).decode()
    trusted_by = read_stack_file(stack).trust_bundle_file if trust else None
    write_private_key(out, key)
    if trusted_by is not None:
        trust_key(trusted_by, key, publishers=publishers)
        console.note("The services read the trust bundle again within 5 seconds.")
    key_id = key_id_of(key.public_key())
    console.note(f"The private key is in {out}; keep it secret.")
    console.result(
        {
            "key_id": key_id,
            "private_key_file": str(out),
            "public_pem": entry,
            "trust_bundle_file": str(trusted_by) if trusted_by else None,
        },
        entry.rstrip(),
    )


def pack(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Holds manifest.json, dist/main.wasm and ui/.")
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write the bundle.")
    ] = Path(BUNDLE_NAME),
    as_json: AsJson = False,
) -> None:
    """Check an extension and pack it; the same files always give the same bytes."""
    console = Console(as_json=as_json)
    with console.step(f"Pack {directory}"):
        bundle = pack_directory(directory)
        replace_public_file(out, bundle.data)
    console.warn(bundle.warnings)
    console.result(
        {**bundle_data(bundle), "file": str(out)},
        facts({"file": str(out), **bundle_facts(bundle)}),
    )


def sign(
    bundle: Bundle,
    *,
    key: Key = DEFAULT_KEY,
    chain: Annotated[
        Path | None,
        typer.Option(
            "--chain",
            metavar="PEM",
            help="The key's certificate and those above it, up to a root of the trust bundle.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to write; beside the bundle by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign a bundle: write a DSSE envelope that names its hash, publisher, name and version."""
    console = Console(as_json=as_json)
    checked = open_bundle(bundle)
    private = read_private_key(key)
    certificates = None
    if chain is not None:
        publisher = checked.subject.publisher
        certificates = read_chain(chain, publisher=publisher, now=SystemClock().now())
    target = out or signature_path(bundle)
    replace_public_file(target, sign_statement(private, checked.subject, chain=certificates))
    key_id = key_id_of(private.public_key())
    console.result(
        {**bundle_data(checked), "signature_file": str(target), "key_id": key_id},
        facts({"signature": str(target), "key": key_id, **bundle_facts(checked)}),
    )


def bundle_data(bundle: CheckedBundle) -> dict[str, object]:
    """A bundle as `--json` tells it."""
    return {
        "extension": bundle.extension,
        "version": bundle.manifest.version,
        "content_hash": bundle.content_hash,
        "size_bytes": len(bundle.data),
        "files": sorted(bundle.files),
        "warnings": list(bundle.warnings),
    }


def bundle_facts(bundle: CheckedBundle) -> dict[str, str]:
    """A bundle as people are told of it."""
    return {
        "extension": f"{bundle.extension} {bundle.manifest.version}",
        "content hash": bundle.content_hash,
        "size": f"{len(bundle.data):,} bytes, {len(bundle.files)} files",
    }
