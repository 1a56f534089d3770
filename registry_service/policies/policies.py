"""How strict the platform is with each tenant's extensions: never weaker than with all."""

from dataclasses import dataclass
from typing import Final

from registry_service.policies.store import OwnPolicy, PolicyStore
from shared.clock import Clock
from shared.errors import ArgumentInvalidError
from shared.identifiers import TenantId
from shared.trust.verification import SigningPolicy

_MAX_ACTOR: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    """What counts for a tenant, and what was set for it."""

    tenant_id: TenantId
    own: OwnPolicy | None
    signing_policy: SigningPolicy
    """The stricter one of the tenant's own and the platform's."""


class Policies:
    """Sets and answers which policy counts."""

    def __init__(self, *, store: PolicyStore, signing_policy: SigningPolicy, clock: Clock) -> None:
        """`signing_policy` is the platform's."""
        self._store = store
        self._signing_policy = signing_policy
        self._clock = clock

    async def of(self, tenant_id: TenantId) -> TenantPolicy:
        """The policy that counts for a tenant."""
        return self._policy(tenant_id, await self._store.find(tenant_id))

    async def set(
        self, tenant_id: TenantId, signing_policy: SigningPolicy | None, *, actor: str
    ) -> TenantPolicy:
        """Sets the tenant's own policy, or takes it back (None). Setting it again changes nothing.

        Raises:
            ArgumentInvalidError: it is weaker than the platform's, or the actor is no name.
        """
        if len(actor) > _MAX_ACTOR or not actor.isprintable():
            raise ArgumentInvalidError(
                f"An actor has at most {_MAX_ACTOR} printable characters.", what="actor"
            )
        if signing_policy is None:
            await self._store.remove(tenant_id)
            return self._policy(tenant_id, None)
        if signing_policy.stricter(self._signing_policy) is not signing_policy:
            raise ArgumentInvalidError(
                f"The platform's signing policy is {self._signing_policy.value}, and a tenant's "
                "can only be as strict or stricter; leave it out to have the platform's.",
                what="signing_policy",
            )
        own = await self._store.find(tenant_id)
        if own is None or own.signing_policy is not signing_policy:
            own = OwnPolicy(signing_policy, actor, self._clock.now())
            await self._store.put(tenant_id, own)
        return self._policy(tenant_id, own)

    def signing_policy(self, own: SigningPolicy | None) -> SigningPolicy:
        """What counts for a tenant that has this policy of its own."""
        return self._signing_policy if own is None else own.stricter(self._signing_policy)

    def _policy(self, tenant_id: TenantId, own: OwnPolicy | None) -> TenantPolicy:
        return TenantPolicy(
            tenant_id=tenant_id,
            own=own,
            signing_policy=self.signing_policy(own.signing_policy if own else None),
        )
