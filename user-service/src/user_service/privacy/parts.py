"""Wires the parts of erasure and data files."""

from bson import ObjectId

from intervai_shared.jobs import JobRecords
from intervai_shared.privacy.eraser import Extras
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.resources import Resources
from intervai_shared.signing import RecordSigner
from intervai_shared.storage import FileStorage
from user_service.privacy import repository
from user_service.privacy.data_files import RECORDS, DataFileService
from user_service.privacy.gatherer import DataGatherer
from user_service.privacy.holdings import HOLDINGS
from user_service.privacy.repository import DataFileRepository, ErasureRepository
from user_service.privacy.service import RECORD_KIND, ErasureService
from user_service.profiles.service import ProfileService
from user_service.settings import UserSettings

INDEXES = repository.INDEXES


def open_erasures(resources: Resources, storage: FileStorage, profiles: ProfileService) -> Erasures:
    """How user-service itself erases a person."""

    async def forget_cached(user: ObjectId) -> dict[str, int]:
        await profiles.forget(user)
        return {}

    return Erasures(resources, HOLDINGS, Extras(last=[forget_cached], storage=lambda: storage))


def open_erasure_requests(resources: Resources, settings: UserSettings) -> ErasureService:
    """What all services do together when a person asks."""
    signer = RecordSigner(settings.record_signing_key, RECORD_KIND)
    return ErasureService(resources, ErasureRepository(resources.mongo.db), signer)


def open_data_files(resources: Resources, settings: UserSettings, storage: FileStorage) -> DataFileService:
    """Files with all data of a person, as the person sees them."""
    db = resources.mongo.db
    return DataFileService(settings, resources, DataFileRepository(db), ErasureRepository(db), storage)


def open_gatherer(resources: Resources, storage: FileStorage) -> DataGatherer:
    """What makes them."""
    db = resources.mongo.db
    records = JobRecords(db[RECORDS], resources.live)
    return DataGatherer(DataFileRepository(db), records, resources.services, storage, resources.outbox)
