"""The development publisher of a stack, whose key is the first entry of its trust bundle.

A trust bundle is never empty: a registry that trusts nobody could publish nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extctl.files import make_private_directory
from extctl.trust_file import trust_key
from shared.trust.keys import generate_key, read_private_key, write_private_key

TRUST_BUNDLE_NAME: Final = "trust_bundle.pem"


@dataclass(frozen=True, slots=True)
class DevelopmentPublisher:
    """Where its key is, and the trust bundle that holds the public half."""

    private_key: Path
    trust_bundle: Path


def make_trust_bundle(directory: Path, *, publishers: tuple[str, ...] = ()) -> DevelopmentPublisher:
    """Makes the key and the trust bundle of a stack's directory, unless they are there.

    Args:
        directory: the stack's.
        publishers: for whom alone the key may sign; empty means for all.

    Raises:
        SigningKeyInvalidError, TrustBundleInvalidError: what is there cannot be used.
    """
    made = DevelopmentPublisher(
        private_key=make_private_directory(directory / "keys") / "publisher.pem",
        trust_bundle=directory / TRUST_BUNDLE_NAME,
    )
    if not made.private_key.exists():
        write_private_key(made.private_key, generate_key())
    if not made.trust_bundle.exists():
        trust_key(made.trust_bundle, read_private_key(made.private_key), publishers=publishers)
    return made
