"""The RPCs of InstallService about how strict the platform is with a tenant."""

from typing import Any, Final, TypeAlias

from grpc import aio

from registry_service.policies.policies import Policies, TenantPolicy
from registry_service.rpc.conversion import tenant_of, timestamp_of
from shared.errors import ArgumentInvalidError
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.trust.verification import SigningPolicy

Context: TypeAlias = aio.ServicerContext[Any, Any]

_MESSAGES: Final = {
    SigningPolicy.OFF: pb.SIGNING_POLICY_OFF,
    SigningPolicy.WARN: pb.SIGNING_POLICY_WARN,
    SigningPolicy.REQUIRE: pb.SIGNING_POLICY_REQUIRE,
}
_POLICIES: Final = {message: policy for policy, message in _MESSAGES.items()}


class TenantPolicyServicer:
    """A part of the install servicer, which sets `_policies`."""

    _policies: Policies

    async def SetTenantPolicy(
        self, request: pb.SetTenantPolicyRequest, context: Context
    ) -> pb.SetTenantPolicyResponse:
        """Sets a tenant's own policy."""
        policy = await self._policies.set(
            tenant_of(request.tenant_id), _policy_of(request.signing_policy), actor=request.actor
        )
        return pb.SetTenantPolicyResponse(policy=_message(policy))

    async def GetTenantPolicy(
        self, request: pb.GetTenantPolicyRequest, context: Context
    ) -> pb.GetTenantPolicyResponse:
        """Says what counts for a tenant."""
        policy = await self._policies.of(tenant_of(request.tenant_id))
        return pb.GetTenantPolicyResponse(policy=_message(policy))


def _policy_of(message: pb.SigningPolicy.ValueType) -> SigningPolicy | None:
    if message == pb.SIGNING_POLICY_UNSPECIFIED:
        return None
    if message not in _POLICIES:
        raise ArgumentInvalidError(
            "This registry does not know the signing policy.", what="signing_policy"
        )
    return _POLICIES[message]


def _message(policy: TenantPolicy) -> pb.TenantPolicy:
    own = policy.own
    return pb.TenantPolicy(
        tenant_id=str(policy.tenant_id),
        signing_policy=_MESSAGES[own.signing_policy] if own else pb.SIGNING_POLICY_UNSPECIFIED,
        effective_signing_policy=_MESSAGES[policy.signing_policy],
        set_by=own.set_by if own else "",
        set_at=timestamp_of(own.set_at) if own else None,
    )
