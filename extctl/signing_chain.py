"""A publisher's certificate chain on the disk, checked before anything is signed with it."""

from datetime import datetime
from pathlib import Path

from shared.errors import SigningKeyInvalidError, TrustBundleInvalidError
from shared.trust.certificate import CertificateInvalidError
from shared.trust.chain import CertificateChain
from shared.trust.pem import MAX_PEM_BYTES, split_pem


def read_chain(path: Path, *, publisher: str, now: datetime) -> CertificateChain:
    """Reads certificates in PEM, the signer's first, and holds them to what verifiers ask.

    Raises:
        SigningKeyInvalidError: no registry would trust a signature with it now, whatever its root.
    """
    try:
        with path.open("rb") as stream:
            blocks, _ = split_pem(stream.read(MAX_PEM_BYTES + 1))
        wrong = sorted({block.label for block in blocks} - {"CERTIFICATE"})
        if wrong:
            raise SigningKeyInvalidError(
                f"{path} holds a {wrong[0]} block; a chain is certificates only."
            )
        chain = CertificateChain.read([block.der for block in blocks])
    except OSError as error:
        raise SigningKeyInvalidError(f"{path} cannot be read: {error.strerror}.") from None
    except TrustBundleInvalidError as error:
        raise SigningKeyInvalidError(f"{path}: {error.message}") from None
    except CertificateInvalidError as error:
        raise SigningKeyInvalidError(f"{path}: {error}") from None
    refusal = chain.refusal(now) or chain.publisher_refusal(publisher)
    if refusal is not None:
        raise SigningKeyInvalidError(f"{path}: {refusal.detail}")
    return chain
