"""The rules of avatars.

A client uploads straight to S3, with a form that S3 takes for one key, one type and one size. What has been looked at
is copied to another key, which no form opens: the form works on for some minutes.
"""

import secrets
from datetime import timedelta

from bson import ObjectId

from intervai_shared.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from intervai_shared.storage import FileChangedError, FileStorage, StorageError
from user_service.avatars.pictures import ENOUGH, type_of
from user_service.avatars.repository import AvatarRepository
from user_service.avatars.schemas import AvatarUpload
from user_service.profiles.schemas import Profile
from user_service.profiles.service import ProfileService
from user_service.settings import UserSettings

#: What has been uploaded can be chosen for so long.
CHOSEN_WITHIN = timedelta(minutes=30)
#: What nobody has chosen by then is swept away.
SWEPT_AFTER = timedelta(hours=1)


class AvatarService:
    """Avatars of one owner at a time."""

    def __init__(
        self,
        resources: Resources,
        settings: UserSettings,
        avatars: AvatarRepository,
        storage: FileStorage,
        profiles: ProfileService,
    ) -> None:
        self._limits = resources.limits
        self._outbox = resources.outbox
        self._settings = settings
        self._avatars = avatars
        self._storage = storage
        self._profiles = profiles

    async def start(self, user: ObjectId, wanted: AvatarUpload) -> Document:
        """A form to upload a picture with.

        Raises:
            InvalidError: the file is larger than an avatar may be.
            TooManyRequestsError: the person's uploads of this hour are used up.
        """
        if wanted.size_bytes > self._settings.avatar_max_bytes:
            message = f"may be at most {self._settings.avatar_max_bytes}"
            raise InvalidError([{"field": "sizeBytes", "message": message}])
        await self._limits.hit("avatars", self._settings.rate_limit_avatars, str(user))
        file = {"name": secrets.token_hex(16), "contentType": wanted.content_type, "sizeBytes": wanted.size_bytes}
        avatar = {"_id": ObjectId(), **file, "state": "uploading", "createdAt": utc_now()}

        async def store(session: Session) -> Document:
            await self._avatars.insert(user, avatar, session)
            return avatar

        return await self._form(await self._outbox.transaction(store))

    async def choose(self, user: ObjectId, upload_id: ObjectId) -> Profile:
        """Makes of an upload the avatar, in place of the one before; the profile.

        Raises:
            NotFoundError: the user has no such upload, or none that can still be chosen.
            ConflictError: nothing has been uploaded, or it was replaced while it was looked at.
            InvalidError: what was uploaded is no picture of the type that was said.
            UnavailableError: S3 cannot be reached now, or the profile is still being made.
        """
        upload = await self._avatars.get(user, upload_id)
        if upload is None or not _can_be_chosen(upload):
            raise NotFoundError("There is no such upload, or it is too old.")
        if upload["state"] == "uploading":
            await self._take(user, upload)
        former = [avatar for avatar in await self._avatars.current(user) if avatar["_id"] != upload_id]
        await self._outbox.transaction(lambda session: self._set(user, upload, session))
        await self._remove([*map(key_of, former), upload_key_of(upload)])
        return await self._profiles.refreshed(user)

    async def delete(self, user: ObjectId) -> None:
        """The person has no avatar after that. Raises BeingMadeError."""
        former = await self._avatars.current(user)
        await self._outbox.transaction(lambda session: self._set(user, None, session))
        await self._remove([*map(key_of, former)])
        await self._profiles.refreshed(user)

    async def sweep(self) -> None:
        """Removes files that are no avatar: of uploads that nobody chose, and those that S3 would not let go when they
        were replaced. Idempotent: what is gone is gone. Raises StorageError."""
        while unwanted := await self._avatars.unwanted(utc_now() - SWEPT_AFTER):
            for avatar in unwanted:
                for key in (key_of(avatar), upload_key_of(avatar)):
                    await self._storage.delete(key)
            await self._avatars.remove(unwanted)
            log.info("files of former avatars removed", count=len(unwanted))

    async def _form(self, upload: Document) -> Document:
        await self._storage.load()
        key, seconds = upload_key_of(upload), self._settings.avatar_upload_seconds
        form = self._storage.signed_upload(key, upload["contentType"], upload["sizeBytes"], seconds)
        return {"uploadId": upload["_id"], "url": form.url, "fields": form.fields, "expiresAt": form.expires_at}

    async def _take(self, user: ObjectId, upload: Document) -> None:
        """Looks at the file, and copies it to where nobody else can write."""
        try:
            head = await self._storage.head(upload_key_of(upload))
            if head is None:
                raise ConflictError("Nothing has been uploaded yet.")
            begin = await self._storage.first_bytes(upload_key_of(upload), ENOUGH, head.etag)
            is_allowed = head.size_bytes <= upload["sizeBytes"] and head.media_type == upload["contentType"]
            if not is_allowed or type_of(begin) != upload["contentType"]:
                await self._avatars.discard(user, upload["_id"])
                await self._remove([upload_key_of(upload)])
                message = f"what was uploaded is no {upload['contentType']}"
                raise InvalidError([{"field": "uploadId", "message": message}])
            await self._storage.copy(upload_key_of(upload), key_of(upload), head.etag, upload["contentType"])
        except FileChangedError as error:
            raise ConflictError("The file was replaced while it was looked at. Please try again.") from error
        except StorageError as error:
            log.warning("an avatar cannot be taken", error=repr(error))
            raise UnavailableError("Pictures cannot be taken now.") from error

    async def _set(self, user: ObjectId, upload: Document | None, session: Session) -> None:
        """In the profile and in the records; whoever sets another one at the same time writes the same profile, so
        one of the two comes later."""
        await self._profiles.write(user, {"avatarKey": key_of(upload) if upload else None}, session)
        await self._avatars.discard_current(user, session, but=upload["_id"] if upload else None)
        if upload and not await self._avatars.choose(user, upload["_id"], session):
            raise NotFoundError("There is no such upload any more.")

    async def _remove(self, keys: list[str]) -> None:
        """At once, if S3 can be reached; else it is left to the sweep, which knows them all."""
        for key in keys:
            try:
                await self._storage.delete(key)
            except StorageError as error:
                log.warning("the file of a former avatar stays for now", key=key, error=repr(error))


def key_of(avatar: Document) -> str:
    """Where the picture lies that people see; names nobody."""
    return f"avatars/{avatar['name']}"


def upload_key_of(avatar: Document) -> str:
    """Where it is uploaded to."""
    return f"avatars/uploads/{avatar['name']}"


def _can_be_chosen(upload: Document) -> bool:
    is_young = bool(upload["createdAt"] > utc_now() - CHOSEN_WITHIN)
    return upload["state"] == "current" or (upload["state"] == "uploading" and is_young)
