"""The part of the composition root that keeps what tenants' extensions keep."""

from dataclasses import dataclass

from registry_service.postgres.database import Database
from registry_service.postgres.record_store import PostgresRecordStore
from registry_service.postgres.secret_store import PostgresSecretStore
from registry_service.postgres.tenant_store import PostgresTenantStore
from registry_service.rpc.secrets_servicer import SecretsServicer
from registry_service.rpc.storage_servicer import StorageServicer
from registry_service.secrets.cipher import SecretCipher
from registry_service.secrets.secrets import Secrets
from registry_service.storage.model import StorageLimits
from registry_service.storage.records import Records
from registry_service.storage.sweeping import Sweeper
from shared.clock import Clock
from shared.tokens.invocation_grant import InvocationGrantVerifier


@dataclass(frozen=True, slots=True)
class TenantDataParts:
    """Records and secrets on the wire, and who tidies up."""

    storage_servicer: StorageServicer
    secrets_servicer: SecretsServicer
    sweeper: Sweeper


def assemble_tenant_data(
    *,
    database: Database,
    grants: InvocationGrantVerifier,
    cipher: SecretCipher | None,
    clock: Clock,
) -> TenantDataParts:
    """Puts together records and secrets."""
    record_store = PostgresRecordStore(database=database)
    secrets = Secrets(store=PostgresSecretStore(database=database), cipher=cipher, clock=clock)
    return TenantDataParts(
        storage_servicer=StorageServicer(
            records=Records(store=record_store, limits=StorageLimits()), grants=grants
        ),
        secrets_servicer=SecretsServicer(secrets=secrets, grants=grants),
        sweeper=Sweeper(tenants=PostgresTenantStore(database=database), records=record_store),
    )
