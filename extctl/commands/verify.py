"""`extctl verify`: what the registry and the runners will say of a signature, without any of them.

It needs the bundle, the signature and a trust bundle; no stack, and no network.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from extctl.bundling import open_bundle, read_envelope, signature_path
from extctl.commands.signing import Bundle, bundle_data
from extctl.console import Console
from extctl.failures import CommandError
from extctl.moments import parse_moment
from extctl.options import DEFAULT_STACK, AsJson, Stack
from extctl.stack_file import read_stack_file
from extctl.trust_file import read_trust_bundle
from extctl.trust_report import expiries
from shared.clock import SystemClock
from shared.errors import BundleUntrustedError, Fault
from shared.trust.refusal import SignatureFault
from shared.trust.verification import VerificationResult, verify_signature

HINTS: Final[Mapping[SignatureFault, str]] = {
    SignatureFault.ENVELOPE: "Sign it again: `extctl sign` writes envelopes.",
    SignatureFault.SIGNATURE: "Sign with a key of the trust bundle, or with --chain under one of "
    "its roots; `extctl trust list` shows them.",
    SignatureFault.CHAIN: "Ask your authority for a code-signing certificate, and give --chain all "
    "certificates from yours up to a root of the trust bundle.",
    SignatureFault.VALIDITY: "Sign with a certificate or key that is valid; --seen-at judges a "
    "bundle that was published earlier.",
    SignatureFault.REVOKED: "Sign with another key: this one vouches for nothing any more.",
    SignatureFault.PUBLISHER: "Sign as the publisher that the manifest names.",
    SignatureFault.STATEMENT: "Sign this bundle: the signature was made for another one.",
    SignatureFault.CONTENT_HASH: "The bundle is not the one that was signed: compare both, or pack "
    "and sign again.",
}


def verify(
    bundle: Bundle,
    *,
    signature: Annotated[
        Path | None,
        typer.Option("--signature", metavar="FILE", help="The envelope; else beside the bundle."),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option("--trust", metavar="PEM", help="A trust bundle; else the running stack's."),
    ] = None,
    seen_at: Annotated[
        datetime | None,
        typer.Option(
            "--seen-at",
            metavar="MOMENT",
            parser=parse_moment,
            help="When it was published, which is when certificates are judged; else now.",
        ),
    ] = None,
    stack: Stack = DEFAULT_STACK,
    as_json: AsJson = False,
) -> None:
    """Say whether a bundle's signature is one that the trust bundle vouches for, or why not."""
    console = Console(as_json=as_json)
    checked = open_bundle(bundle)
    envelope_path = signature or signature_path(bundle)
    if signature and not signature.exists():
        raise CommandError(f"{signature} is not there.", hint="`extctl sign` makes a signature.")
    envelope = read_envelope(envelope_path) if envelope_path.exists() else None
    trusted = read_trust_bundle(trust or read_stack_file(stack).trust_bundle_file)
    now = SystemClock().now()
    verification = verify_signature(
        envelope, trust=trusted, subject=checked.subject, now=now, seen_at=seen_at
    )
    if verification.result is not VerificationResult.VERIFIED:
        fault = verification.fault
        raise BundleUntrustedError(
            verification.detail,
            result=verification.result.value,
            faults=[Fault("signature", fault.value, verification.detail, HINTS[fault])]
            if fault
            else (),
        )
    warnings = list(expiries(envelope, verification.key_id, trusted, now))
    console.warn(warnings)
    verdict = {
        "result": verification.result.value,
        "detail": verification.detail,
        "key_id": verification.key_id,
        "warnings": [*checked.warnings, *warnings],
    }
    console.result({**bundle_data(checked), **verdict}, verification.detail)
