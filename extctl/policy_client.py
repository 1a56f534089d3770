"""Talks to a stack's registry about how strict it is with a tenant."""

from dataclasses import dataclass
from typing import Final

from extctl.registry_calls import RegistryCalls
from shared.identifiers import TenantId
from shared.pb.registry.v1 import install_service_pb2 as pb
from shared.pb.registry.v1 import install_service_pb2_grpc as pb_grpc

SERVICE: Final = "extension.registry.v1.InstallService"
_PREFIX: Final = "SIGNING_POLICY_"
_PLATFORM: Final = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    """What counts for a tenant; `own` is "platform" when nothing was set for it."""

    tenant_id: str
    own: str
    effective: str
    set_by: str
    set_at: str


class PolicyClient:
    """The policies of tenants; each method raises the `ExtensionError` that it was told."""

    def __init__(self, calls: RegistryCalls) -> None:
        self._calls = calls
        self._installs = pb_grpc.InstallServiceStub(calls.channel)

    async def find(self, tenant_id: TenantId) -> TenantPolicy:
        """What counts for a tenant."""
        request = pb.GetTenantPolicyRequest(tenant_id=str(tenant_id))
        return _policy((await self._calls.call(self._installs.GetTenantPolicy, request)).policy)

    async def set(self, tenant_id: TenantId, policy: str, *, actor: str) -> TenantPolicy:
        """Sets require, warn or off for a tenant, or takes it back (platform)."""
        word = "UNSPECIFIED" if policy == _PLATFORM else policy.upper()
        request = pb.SetTenantPolicyRequest(
            tenant_id=str(tenant_id),
            signing_policy=pb.SigningPolicy.Value(f"{_PREFIX}{word}"),
            actor=actor,
        )
        return _policy((await self._calls.call(self._installs.SetTenantPolicy, request)).policy)


def _policy(told: pb.TenantPolicy) -> TenantPolicy:
    own = pb.SigningPolicy.Name(told.signing_policy).removeprefix(_PREFIX).lower()
    return TenantPolicy(
        tenant_id=told.tenant_id,
        own=_PLATFORM if own == "unspecified" else own,
        effective=pb.SigningPolicy.Name(told.effective_signing_policy)
        .removeprefix(_PREFIX)
        .lower(),
        set_by=told.set_by,
        set_at=told.set_at.ToJsonString() if told.HasField("set_at") else "",
    )
