"""Changes a trust bundle on the disk, in one step and only if the result is a good one."""

import base64
from datetime import UTC, datetime
from pathlib import Path

from extctl.failures import CommandError
from extctl.files import replace_public_file
from shared.trust.keys import PrivateKey, public_pem
from shared.trust.pem import split_pem
from shared.trust.trust_bundle import TrustBundle


def read_trust_bundle(path: Path) -> TrustBundle:
    """Reads a trust bundle as the services do.

    Raises:
        CommandError: the file cannot be read.
        TrustBundleInvalidError: it is no good trust bundle.
    """
    return TrustBundle.from_pem(_read(path))


def trust_key(trust_bundle: Path, key: PrivateKey, *, publishers: tuple[str, ...] = ()) -> None:
    """Appends the public half of `key`, for those publishers only (none: for all).

    Raises:
        CommandError: the file cannot be read.
        ArgumentInvalidError: a publisher's name is malformed.
        TrustBundleInvalidError: the file is no good trust bundle; it is left as it is.
    """
    before = _read(trust_bundle) if trust_bundle.exists() else b""
    _write(trust_bundle, _ended(before) + public_pem(key, publishers=publishers))


def revoke_key(trust_bundle: Path, key_id: str, *, at: datetime) -> str:
    """Marks the entries of a key as revoked; gives its whole id.

    Args:
        trust_bundle: the file.
        key_id: the key's id, or how it begins.
        at: from when on it is revoked.

    Raises:
        CommandError: the file cannot be read, or no entry or several keys have such an id.
        TrustBundleInvalidError: the file is no good trust bundle; it is left as it is.
    """
    text = _read(trust_bundle)
    entries = TrustBundle.from_pem(text).entries
    found = {entry.key_id for entry in entries if entry.key_id.startswith(key_id)}
    if len(found) != 1 or not key_id:
        raise CommandError(
            f"{len(found) or 'No'} keys of {trust_bundle} have an id that begins so.",
            hint="`extctl trust list` shows the ids; give as much of one as makes it unique.",
        )
    (whole,) = found
    lines = text.decode().split("\n")
    blocks, _ = split_pem(text)
    for block, entry in reversed(list(zip(blocks, entries, strict=True))):
        if entry.key_id == whole and entry.revoked_at is None:
            lines.insert(block.line - 1, f"revoked-at: {_moment(at)}")
    _write(trust_bundle, "\n".join(lines).encode())
    return whole


def revoke_certificate(trust_bundle: Path, certificate: Path, *, at: datetime) -> str:
    """Withdraws a certificate whose root stays trusted; gives the id of its key.

    Raises:
        CommandError: a file cannot be read.
        TrustBundleInvalidError: the certificate is none, or is in the file already; the trust
            bundle is left as it is.
    """
    blocks, _ = split_pem(_read(certificate))
    if [block.label for block in blocks] != ["CERTIFICATE"]:
        raise CommandError(f"{certificate} is not one certificate in PEM.")
    body = base64.encodebytes(blocks[0].der)
    entry = b"-----BEGIN CERTIFICATE-----\n%b-----END CERTIFICATE-----\n" % body
    before = _ended(_read(trust_bundle))
    after = _write(trust_bundle, before + f"revoked-at: {_moment(at)}\n".encode() + entry)
    return after.entries[-1].key_id


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


def _write(path: Path, text: bytes) -> TrustBundle:
    bundle = TrustBundle.from_pem(text)
    replace_public_file(path, text)
    return bundle


def _ended(text: bytes) -> bytes:
    return text if not text or text.endswith(b"\n") else text + b"\n"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
