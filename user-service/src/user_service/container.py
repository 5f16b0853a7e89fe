"""What a process of user-service holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from intervai_shared.privacy.erasures import Erasures
from intervai_shared.resources import Resources, open_resources
from intervai_shared.storage import FileStorage
from user_service.api_reference.service import ApiReferenceService
from user_service.avatars import repository as avatars
from user_service.avatars.service import AvatarService
from user_service.notifications import repository as notifications
from user_service.notifications.service import NotificationService
from user_service.preferences import repository as preferences
from user_service.preferences.service import PreferencesService
from user_service.privacy import parts as privacy
from user_service.privacy.data_files import DataFileService
from user_service.privacy.gatherer import DataGatherer
from user_service.privacy.service import ErasureService
from user_service.profiles import repository as profiles
from user_service.profiles.service import ProfileService
from user_service.settings import UserSettings

INDEXES = {
    **profiles.INDEXES,
    **preferences.INDEXES,
    **notifications.INDEXES,
    **avatars.INDEXES,
    **privacy.INDEXES,
}


@dataclass(frozen=True)
class UserContainer:
    """The services of the domains, on the chassis's resources."""

    resources: Resources
    storage: FileStorage
    profiles: ProfileService
    preferences: PreferencesService
    notifications: NotificationService
    avatars: AvatarService
    erasures: Erasures
    erasure_requests: ErasureService
    data_files: DataFileService
    data_gatherer: DataGatherer
    api_reference: ApiReferenceService


@asynccontextmanager
async def open_container(settings: UserSettings) -> AsyncIterator[UserContainer]:
    """Opens everything."""
    async with open_resources(settings, INDEXES) as resources:
        db = resources.mongo.db
        storage = FileStorage(settings)  # S3 is no part of the health check: it would import boto3 (25 MB) for nothing
        profile_service = ProfileService(resources, settings, profiles.ProfileRepository(db), storage)
        wanted = PreferencesService(resources, preferences.PreferencesRepository(db))
        yield UserContainer(
            resources=resources,
            storage=storage,
            profiles=profile_service,
            preferences=wanted,
            notifications=NotificationService(resources, settings, notifications.NotificationRepository(db), wanted),
            avatars=AvatarService(resources, settings, avatars.AvatarRepository(db), storage, profile_service),
            erasures=privacy.open_erasures(resources, storage, profile_service),
            erasure_requests=privacy.open_erasure_requests(resources, settings),
            data_files=privacy.open_data_files(resources, settings, storage),
            data_gatherer=privacy.open_gatherer(resources, storage),
            api_reference=ApiReferenceService(resources.services, resources.cache),
        )
