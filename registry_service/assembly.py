"""The larger parts of the composition root: how the domain's objects are put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from registry_service.audit.audit import Audit
from registry_service.catalog.bills_of_materials import BillsOfMaterials
from registry_service.catalog.bundles import Bundles
from registry_service.catalog.catalog import Catalog
from registry_service.catalog.checks.archive_check import ArchiveCheck, SizeCheck
from registry_service.catalog.checks.component_check import (
    CapabilityCheck,
    ComponentCheck,
    PrecompiledCheck,
)
from registry_service.catalog.checks.examination import Examination
from registry_service.catalog.checks.manifest_check import ManifestCheck, SbomCheck
from registry_service.catalog.checks.name_check import NameCheck
from registry_service.catalog.checks.secret_check import SecretCheck
from registry_service.catalog.checks.signature_check import SignatureCheck
from registry_service.catalog.garbage import Garbage
from registry_service.catalog.life_cycle import LifeCycle
from registry_service.catalog.publish import Publisher
from registry_service.catalog.quarantines import Quarantines
from registry_service.catalog.signing import SignatureGate
from registry_service.catalog.transfers import Transfers
from registry_service.postgres.audit_store import PostgresAuditStore
from registry_service.postgres.bundle_references import PostgresBundleReferences
from registry_service.postgres.catalog_store import PostgresCatalogStore
from registry_service.postgres.component_store import PostgresComponentStore
from registry_service.postgres.database import Database
from registry_service.postgres.life_cycle_store import PostgresLifeCycleStore
from registry_service.postgres.publish_store import PostgresPublishRecords
from registry_service.postgres.publisher_store import PostgresPublisherStore
from registry_service.postgres.transfer_store import PostgresTransferStore
from registry_service.publishers.ownership import Ownership
from registry_service.publishers.publishers import Publishers
from registry_service.rpc.publisher_servicer import PublisherServicer
from registry_service.rpc.registry_servicer import RegistryServicer
from shared.bundles.fleet_artefact import ArtefactKey
from shared.bundles.store import BundleStore
from shared.clock import Clock
from shared.component_compiler import ComponentCompiler


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """What can be set about publishing."""

    compiler: Sequence[str]
    """The command line that compiles a component."""
    artefact_key: ArtefactKey | None
    garbage_grace: timedelta


@dataclass(frozen=True, slots=True)
class CatalogueParts:
    """The catalogue's servicers, and what others read it through."""

    catalog: Catalog
    registry_servicer: RegistryServicer
    publisher_servicer: PublisherServicer


def assemble_catalogue(
    *,
    database: Database,
    objects: BundleStore,
    gate: SignatureGate,
    publishing: Publishing,
    clock: Clock,
) -> CatalogueParts:
    """Puts together all that belongs to no tenant."""
    publisher_store = PostgresPublisherStore(database=database)
    catalog_store = PostgresCatalogStore(database=database)
    life_cycle_store = PostgresLifeCycleStore(database=database)
    ownership = Ownership(store=publisher_store, clock=clock)
    catalog = Catalog(store=catalog_store, ownership=ownership)
    references = PostgresBundleReferences(database=database)
    bundles = Bundles(store=objects, references=references)
    records = PostgresPublishRecords(database=database)
    registry_servicer = RegistryServicer(
        catalog=catalog,
        bundles=bundles,
        publisher=Publisher(
            catalog=catalog_store,
            ownership=ownership,
            bundles=bundles,
            objects=objects,
            examination=Examination(
                [
                    SizeCheck(),
                    ArchiveCheck(bundles=bundles),
                    ManifestCheck(catalog=catalog_store),
                    NameCheck(records=records),
                    SbomCheck(),
                    SignatureCheck(gate=gate),
                    SecretCheck(),
                    ComponentCheck(
                        compiler=ComponentCompiler(command=publishing.compiler),
                        keeps_code=publishing.artefact_key is not None,
                    ),
                    CapabilityCheck(),
                    PrecompiledCheck(),
                ]
            ),
            records=records,
            artefact_key=publishing.artefact_key,
        ),
        bills=BillsOfMaterials(
            catalog=catalog,
            bundles=bundles,
            components=PostgresComponentStore(database=database),
        ),
        garbage=Garbage(objects=objects, references=references, grace=publishing.garbage_grace),
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
