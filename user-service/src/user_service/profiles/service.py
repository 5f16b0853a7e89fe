"""The rules of profiles."""

import asyncio
import time

from bson import ObjectId

from intervai_shared.cache import ModelCache
from intervai_shared.errors import UnavailableError
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from intervai_shared.storage import FileStorage
from user_service.profiles.repository import ProfileRepository
from user_service.profiles.schemas import Profile, ProfileChange, StoredProfile
from user_service.settings import UserSettings

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
        self, resources: Resources, settings: UserSettings, profiles: ProfileRepository, storage: FileStorage
    ) -> None:
        self._outbox = resources.outbox
        self._redis = resources.redis
        self._profiles = profiles
        self._cache = ModelCache(resources.cache, CACHE, StoredProfile, settings.profile_cache_seconds)
        self._storage = storage
        self._wait_seconds = settings.profile_wait_seconds
        self._url_ttl_seconds = settings.avatar_url_ttl_seconds

    async def create(self, event: Document, session: Session) -> None:
        """Makes the profile of a new account, from `user.registered`."""
        data = event["data"]
        fields = {"email": data["email"], "fullName": data["fullName"], "emailSequence": event.get("sequence") or 0}
        await self._profiles.insert(ObjectId(event["aggregateId"]), fields, session)

    async def change_email(self, event: Document, session: Session) -> None:
        """Takes over the address of `user.email-changed`, unless a later one is there already: two events of a person
        may come in the wrong order. Raises BeingMadeError, to be tried again."""
        user, sequence = ObjectId(event["aggregateId"]), event["sequence"]
        profile = await self._profiles.get(user, session)
        if profile is None:
            raise BeingMadeError
        if profile.get("emailSequence", 0) < sequence:
            await self.write(user, {"email": event["data"]["email"], "emailSequence": sequence}, session)

    async def get(self, user: ObjectId) -> Profile:
        """The person's profile. Raises BeingMadeError if it does not come soon."""
        try:
            return await self._shown(await self._cached(user))
        except BeingMadeError:  # waits outside the cache's single flight, where the second caller waits for the first
            await self._wait_for(user)
            return await self._shown(await self._cached(user))

    async def change(self, user: ObjectId, change: ProfileChange) -> Profile:
        """The profile after the change. Raises BeingMadeError if it does not come soon."""
        fields = change.model_dump(by_alias=True, exclude_unset=True)
        if fields:
            await self._store(user, fields)
        return await self.refreshed(user)

    async def write(self, user: ObjectId, fields: Document, session: Session) -> None:
        """Changes fields in the caller's transaction, whose message forgets the copies; call `refreshed` after it.
        Raises BeingMadeError when there is no profile yet."""
        if not await self._profiles.update(user, fields, session):
            raise BeingMadeError
        await self._outbox.add_job(session, ACTOR, QUEUE, str(user))

    async def refreshed(self, user: ObjectId) -> Profile:
        """The profile after a change that has been committed."""
        await self._cache.invalidate(str(user))
        return await self._shown(await self._load(user))

    async def forget(self, user: ObjectId) -> None:
        """Removes the copy of a profile. Raises redis.RedisError: then it is to be tried again."""
        await self._cache.invalidate(str(user))
        await self._redis.delete(f"{CACHE}:{user}")  # the cache would not say that Redis is down

    async def _store(self, user: ObjectId, fields: Document) -> None:
        try:
            await self._outbox.transaction(lambda session: self.write(user, fields, session))
        except BeingMadeError:
            await self._wait_for(user)
            await self._outbox.transaction(lambda session: self.write(user, fields, session))

    async def _cached(self, user: ObjectId) -> StoredProfile:
        return await self._cache.get_or_load(str(user), lambda: self._load(user))

    async def _load(self, user: ObjectId) -> StoredProfile:
        if found := await self._profiles.get(user):
            return StoredProfile.model_validate(found)
        raise BeingMadeError

    async def _shown(self, stored: StoredProfile) -> Profile:
        """With a fresh URL of the avatar: it is signed after the cache, for a signed URL dies sooner than a copy."""
        fields = stored.model_dump(exclude={"avatar_key"})
        if stored.avatar_key is None:
            return Profile(**fields)
        await self._storage.load()
        url, _ = self._storage.signed_url(stored.avatar_key, self._url_ttl_seconds)
        return Profile(**fields, avatar_url=url)

    async def _wait_for(self, user: ObjectId) -> None:
        """A little while: the event that makes the profile follows the registration by some milliseconds."""
        deadline = time.monotonic() + self._wait_seconds
        while not await self._profiles.get(user):
            if time.monotonic() >= deadline:
                raise BeingMadeError
            await asyncio.sleep(WAIT_STEP_SECONDS)
