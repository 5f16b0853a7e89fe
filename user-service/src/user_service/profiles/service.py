"""The rules of profiles."""

import asyncio
import time

from bson import ObjectId

from intervai_shared.cache import ModelCache
from intervai_shared.errors import UnavailableError
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from user_service.profiles.repository import ProfileRepository
from user_service.profiles.schemas import Profile, ProfileChange

#: Seconds between looks for a profile that is being made.
WAIT_STEP_SECONDS = 0.05
#: Under `profile:<user>` lies the copy of a profile in Redis.
CACHE = "profile"
ACTOR = "forget_profile"
QUEUE = "profiles"


class BeingMadeError(UnavailableError):
    """The account is there, its event has not arrived yet."""

    def __init__(self) -> None:
        super().__init__("The profile is still being made.", retry_after_seconds=1)


class ProfileService:
    """Reads go through the cache, writes invalidate it: at once, and by a message of their transaction, since a Redis
    that is down at that moment comes back with the old copy."""

    def __init__(
        self, resources: Resources, profiles: ProfileRepository, cache: ModelCache[Profile], wait_seconds: float
    ) -> None:
        self._outbox = resources.outbox
        self._redis = resources.redis
        self._profiles = profiles
        self._cache = cache
        self._wait_seconds = wait_seconds

    async def create(self, event: Document, session: Session) -> None:
        """Makes the profile of a new account, from `user.registered`."""
        data = event["data"]
        fields = {"email": data["email"], "fullName": data["fullName"]}
        await self._profiles.insert(ObjectId(event["aggregateId"]), fields, session)

    async def get(self, user: ObjectId) -> Profile:
        """The person's profile. Raises BeingMadeError if it does not come soon."""
        try:
            return await self._cached(user)
        except BeingMadeError:  # waits outside the cache's single flight, where the second caller waits for the first
            await self._wait_for(user)
            return await self._cached(user)

    async def change(self, user: ObjectId, change: ProfileChange) -> Profile:
        """The profile after the change. Raises BeingMadeError if it does not come soon."""
        fields = change.model_dump(by_alias=True, exclude_unset=True)
        if fields and not await self._store(user, fields):
            await self._wait_for(user)
            await self._store(user, fields)
        await self._cache.invalidate(str(user))
        return await self._load(user)

    async def forget(self, user: ObjectId) -> None:
        """Removes the copy of a profile. Raises redis.RedisError: then it is to be tried again."""
        await self._cache.invalidate(str(user))
        await self._redis.delete(f"{CACHE}:{user}")  # the cache would not say that Redis is down

    async def _store(self, user: ObjectId, fields: Document) -> bool:
        async def effect(session: Session) -> bool:
            changed = await self._profiles.update(user, fields, session)
            if changed:
                await self._outbox.add_job(session, ACTOR, QUEUE, str(user))
            return changed

        return await self._outbox.transaction(effect)

    async def _cached(self, user: ObjectId) -> Profile:
        return await self._cache.get_or_load(str(user), lambda: self._load(user))

    async def _load(self, user: ObjectId) -> Profile:
        if found := await self._profiles.get(user):
            return Profile.model_validate(found)
        raise BeingMadeError

    async def _wait_for(self, user: ObjectId) -> None:
        """A little while: the event that makes the profile follows the registration by some milliseconds."""
        deadline = time.monotonic() + self._wait_seconds
        while not await self._profiles.get(user):
            if time.monotonic() >= deadline:
                raise BeingMadeError
            await asyncio.sleep(WAIT_STEP_SECONDS)
