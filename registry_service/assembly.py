"""The larger parts of the composition root: how the domain's objects are put together."""

from dataclasses import dataclass

from registry_service.audit.audit import Audit
from registry_service.catalog.bundles import Bundles
from registry_service.catalog.catalog import Catalog
from registry_service.catalog.life_cycle import LifeCycle
from registry_service.catalog.publish import Publisher
from registry_service.catalog.quarantines import Quarantines
from registry_service.catalog.signing import SignatureGate
from registry_service.catalog.transfers import Transfers
from registry_service.postgres.audit_store import PostgresAuditStore
from registry_service.postgres.catalog_store import PostgresCatalogStore
from registry_service.postgres.database import Database
from registry_service.postgres.life_cycle_store import PostgresLifeCycleStore
from registry_service.postgres.publisher_store import PostgresPublisherStore
from registry_service.postgres.transfer_store import PostgresTransferStore
from registry_service.publishers.ownership import Ownership
from registry_service.publishers.publishers import Publishers
from registry_service.rpc.publisher_servicer import PublisherServicer
from registry_service.rpc.registry_servicer import RegistryServicer
from shared.bundles.store import BundleStore
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CatalogueParts:
    """The catalogue's servicers, and what others read it through."""

    catalog: Catalog
    registry_servicer: RegistryServicer
    publisher_servicer: PublisherServicer


def assemble_catalogue(
    *, database: Database, objects: BundleStore, gate: SignatureGate, clock: Clock
) -> CatalogueParts:
    """Puts together all that belongs to no tenant."""
    publisher_store = PostgresPublisherStore(database=database)
    catalog_store = PostgresCatalogStore(database=database)
    life_cycle_store = PostgresLifeCycleStore(database=database)
    ownership = Ownership(store=publisher_store, clock=clock)
    catalog = Catalog(store=catalog_store, ownership=ownership)
    bundles = Bundles(store=objects)
    registry_servicer = RegistryServicer(  # type: ignore[abstract]  # still being built
        catalog=catalog,
        bundles=bundles,
        publisher=Publisher(
            catalog=catalog_store,
            ownership=ownership,
            bundles=bundles,
            objects=objects,
            gate=gate,
        ),
        life_cycle=LifeCycle(store=life_cycle_store, catalog=catalog, ownership=ownership),
        quarantines=Quarantines(store=life_cycle_store, catalog=catalog, clock=clock),
        audit=Audit(store=PostgresAuditStore(database=database)),
    )
    publisher_servicer = PublisherServicer(
        publishers=Publishers(store=publisher_store, ownership=ownership),
        transfers=Transfers(
            store=PostgresTransferStore(database=database),
            catalog=catalog,
            ownership=ownership,
            clock=clock,
        ),
    )
    return CatalogueParts(catalog, registry_servicer, publisher_servicer)
