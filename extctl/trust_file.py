"""Adds keys to a trust bundle on the disk, in one step and only if the result is a good one."""

from pathlib import Path

from extctl.failures import CommandError
from extctl.files import replace_public_file
from shared.trust.keys import PrivateKey, public_pem
from shared.trust.trust_bundle import TrustBundle


def trust_key(trust_bundle: Path, key: PrivateKey, *, publishers: tuple[str, ...] = ()) -> None:
    """Appends the public half of `key`, for those publishers only (none: for all).

    Raises:
        CommandError: the file cannot be read.
        ArgumentInvalidError: a publisher's name is malformed.
        TrustBundleInvalidError: the file is no good trust bundle; it is left as it is.
    """
    try:
        before = trust_bundle.read_bytes() if trust_bundle.exists() else b""
    except OSError as error:
        raise CommandError(f"{trust_bundle} cannot be read: {error.strerror}.") from None
    if before and not before.endswith(b"\n"):
        before += b"\n"
    after = before + public_pem(key, publishers=publishers)
    TrustBundle.from_pem(after)
    replace_public_file(trust_bundle, after)
