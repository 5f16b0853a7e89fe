"""What an API process of export-service holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from export_service.exports import repository as exports
from export_service.exports.bundles import BundleService
from export_service.exports.manifests import RECORD_KIND, ManifestService
from export_service.exports.service import ExportService
from export_service.exports.sessions import SessionSource
from export_service.settings import ExportSettings
from intervai_shared.jobs import JobRecords
from intervai_shared.resources import Resources, open_resources
from intervai_shared.signing import RecordSigner
from intervai_shared.storage import FileStorage

INDEXES = exports.INDEXES


@dataclass(frozen=True)
class ExportContainer:
    """The services of the domains, on the chassis's resources."""

    resources: Resources
    exports: ExportService
    manifests: ManifestService
    bundles: BundleService


@asynccontextmanager
async def open_container(settings: ExportSettings) -> AsyncIterator[ExportContainer]:
    """Opens everything."""
    async with open_resources(settings, INDEXES) as resources:
        storage = FileStorage(settings)
        resources.health.add("s3", storage.check, needed=False)
        repository = exports.ExportRepository(resources.mongo.db)
        records = JobRecords(resources.mongo.db.exports, resources.live)
        service = ExportService(settings, resources, repository, records, storage)
        signer = RecordSigner(settings.record_signing_key, RECORD_KIND)
        manifests = ManifestService(service, signer, settings.token_issuer)
        bundles = BundleService(service, SessionSource(resources.services))
        yield ExportContainer(resources, service, manifests, bundles)
