"""What a process of user-service holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from intervai_shared.cache import ModelCache
from intervai_shared.resources import Resources, open_resources
from user_service.profiles import repository as profiles
from user_service.profiles.schemas import Profile
from user_service.profiles.service import CACHE, ProfileService
from user_service.settings import UserSettings


@dataclass(frozen=True)
class UserContainer:
    """The services of the domains, on the chassis's resources."""

    resources: Resources
    profiles: ProfileService


@asynccontextmanager
async def open_container(settings: UserSettings) -> AsyncIterator[UserContainer]:
    """Opens everything."""
    async with open_resources(settings, profiles.INDEXES) as resources:
        cache = ModelCache(resources.cache, CACHE, Profile, settings.profile_cache_seconds)
        repository = profiles.ProfileRepository(resources.mongo.db)
        yield UserContainer(resources, ProfileService(resources, repository, cache, settings.profile_wait_seconds))
