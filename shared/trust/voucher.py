"""Who vouches for a signature: a key of the trust bundle, or a chain to one of its roots."""

from dataclasses import dataclass
from datetime import datetime

from shared.trust.certificate import CertificateInvalidError, name_of
from shared.trust.chain import CertificateChain
from shared.trust.envelope import EnvelopeSignature
from shared.trust.refusal import Refusal, SignatureFault
from shared.trust.trust_bundle import TrustBundle
from shared.trust.trust_entry import TrustedKey, TrustedRoot


@dataclass(frozen=True, slots=True)
class Voucher:
    """Whose key made a signature, and may have; `name` is for people."""

    key_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherSearch:
    """Whom to believe, about whom, and when: see `shared.trust.verification`."""

    trust: TrustBundle
    publisher: str
    now: datetime
    seen_at: datetime

    def find(self, signature: EnvelopeSignature, message: bytes) -> Voucher | Refusal:
        """Who vouches with this signature over `message`, or why nobody does.

        What an envelope says of keys and certificates is a hint until the signature holds.
        """
        # the claimed key only comes first: it is looked for, not trusted
        for key in sorted(self.trust.keys, key=lambda entry: entry.key_id != signature.key_id):
            if key.verifies(signature.signature, message):
                name = f"key {key.key_id[:16]} ({key.algorithm})"
                return self._key_refusal(key) or Voucher(key.key_id, name)
        if signature.chain:
            return self._through_chain(signature, message)
        return Refusal(
            SignatureFault.SIGNATURE,
            "None of the signatures was made by a key of the trust bundle over this statement.",
        )

    def _key_refusal(self, key: TrustedKey) -> Refusal | None:
        if refusal := self.trust.revocation({key.key_id}, self.now):
            return refusal
        if limit := key.refusal(publisher=self.publisher, now=self.now):
            return Refusal(limit.fault, f"Key {key.key_id[:16]} {limit.detail}.")
        return None

    def _through_chain(self, signature: EnvelopeSignature, message: bytes) -> Voucher | Refusal:
        try:
            chain = CertificateChain.read(signature.chain)
        except CertificateInvalidError as error:
            return Refusal(SignatureFault.CHAIN, str(error))
        signer = chain.signer
        if not chain.made(signature.signature, message):
            return Refusal(
                SignatureFault.SIGNATURE,
                f"The signature was not made by the key of its certificate ({signer.subject}) over "
                "this statement.",
            )
        return self.trust.revocation(chain.key_ids, self.now) or self._root_of(chain)

    def _root_of(self, chain: CertificateChain) -> Voucher | Refusal:
        refusals = []
        for root in self.trust.roots:
            part = chain.below(root.certificate)
            if root.certificate.parsed.subject == part.issuer:
                refusal = self._root_refusal(part, root)
                if refusal is None:
                    signer, above = chain.signer, root.certificate.subject
                    name = f"the holder of certificate ({signer.subject}) under root ({above})"
                    return Voucher(signer.key_id, name)
                refusals.append(refusal)
        if refusals:
            return max(refusals, key=lambda refusal: refusal.nearness)
        return chain.refusal(self.seen_at) or Refusal(
            SignatureFault.CHAIN,
            "The chain leads to no root of the trust bundle; its last certificate was issued by "
            f"({name_of(chain.issuer)}).",
        )

    def _root_refusal(self, chain: CertificateChain, root: TrustedRoot) -> Refusal | None:
        if refusal := self.trust.revocation({root.key_id}, self.now):
            return refusal
        if limit := root.refusal(publisher=self.publisher, now=self.now):
            return Refusal(limit.fault, f"The root ({root.certificate.subject}) {limit.detail}.")
        return (
            chain.refusal(self.seen_at)
            or chain.path_refusal(root.certificate, self.seen_at)
            or chain.publisher_refusal(self.publisher)
        )
