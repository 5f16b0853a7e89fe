"""The rules of notifications."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from bson import ObjectId
from redis.exceptions import RedisError

from intervai_shared.errors import NotFoundError, TooManyRequestsError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.live import or_silence
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from user_service.notifications.messages import Message
from user_service.notifications.repository import NotificationRepository
from user_service.notifications.schemas import Notification
from user_service.preferences.service import PreferencesService
from user_service.settings import UserSettings

ACTOR = "announce_notification"
QUEUE = "notifications"
#: Seconds of silence after which a stream says that there is none, so that somebody can look whether it is to go on.
SILENCE_SECONDS = 1.0
#: Seconds between two looks while Redis brings no updates.
WITHOUT_REDIS_SECONDS = 5.0

#: Of a stream: (position, name of the event, data); None is a silence.
Update = tuple[str, str, Document] | None


class NotificationService:
    """Notifications of one owner at a time."""

    def __init__(
        self,
        resources: Resources,
        settings: UserSettings,
        notifications: NotificationRepository,
        preferences: PreferencesService,
    ) -> None:
        self._mongo = resources.mongo
        self._outbox = resources.outbox
        self._live = resources.live
        self._settings = settings
        self._notifications = notifications
        self._preferences = preferences
        self._streams: Counter[ObjectId] = Counter()

    async def add(self, user: ObjectId, message: Message, session: Session) -> None:
        """Stores a notification in the caller's transaction, unless the person does not want this kind; the oldest
        ones beyond those that are kept go. A message announces it to those who follow, once it is committed."""
        wanted = await self._preferences.get(user, session)
        if not wanted.notifications.model_dump(by_alias=True)[message.kind]:
            return
        said = {"kind": message.kind, "title": message.title, "text": message.text, "data": message.data}
        notification = {"_id": ObjectId(), **said, "readAt": None, "createdAt": utc_now()}
        await self._notifications.insert(user, notification, session)
        await self._notifications.trim(user, self._settings.notifications_kept, session)
        await self._outbox.add_job(session, ACTOR, QUEUE, str(user), str(notification["_id"]))

    async def announce(self, user: ObjectId, notification_id: ObjectId) -> None:
        """Tells those who follow of a notification, if it is still there."""
        if found := await self._notifications.get(user, notification_id):
            shown = Notification.model_validate(found).model_dump(mode="json", by_alias=True)
            await self._live.publish(_channel(user), {"event": "notification", "data": shown})

    async def page(self, user: ObjectId, limit: int, cursor: str | None, *, unread: bool) -> Document:
        """A page of the user's notifications, the newest first."""
        found = await self._notifications.page(user, limit + 1, NEWEST_FIRST.position(cursor), unread=unread)
        count = await self._notifications.count_unread(user)
        return {**NEWEST_FIRST.page(found, limit), "unreadCount": count}

    async def mark_read(self, user: ObjectId, ids: Sequence[ObjectId] | None) -> Document:
        """Marks some or (None) all as read. Ids of none of theirs count nothing: it may have been cleared already."""

        async def mark(session: Session) -> Document:
            marked = await self._notifications.mark_read(user, ids, session)
            return {"marked": marked, "unreadCount": await self._notifications.count_unread(user, session)}

        answer = await self._mongo.transaction(mark)
        if answer["marked"]:
            await self._announce_unread(user, answer["unreadCount"])
        return answer

    async def clear(self, user: ObjectId, notification_id: ObjectId | None) -> None:
        """Removes one or (None) all. Raises NotFoundError: the user has no such one."""
        delete = self._notifications.delete
        deleted = await self._mongo.transaction(lambda session: delete(user, notification_id, session))
        if notification_id is not None and not deleted:
            raise NotFoundError("There is no such notification.")
        if deleted:
            await self._announce_unread(user, await self._notifications.count_unread(user))

    async def opening(self, user: ObjectId, last_id: str | None) -> tuple[str, str, Document]:
        """What a stream begins with: where it is, and how many are unread. The position is taken first, so that
        nothing falls between the two.

        Raises:
            TooManyRequestsError: the person has too many streams in this process already.
        """
        if self._streams[user] >= self._settings.notification_streams:
            detail = "You follow your notifications too often at a time."
            raise TooManyRequestsError(detail, headers={"Retry-After": "5"})
        position = last_id or await self._newest(user)
        return position, *await self._unread(user)

    async def follow(self, user: ObjectId, opening: tuple[str, str, Document]) -> AsyncGenerator[Update, None]:
        """What happens to the user's notifications, from an `opening` on, until the caller stops: `notification`, a new
        one; `unread`, how many are unread now. While Redis is away only the latter, from time to time."""
        self._streams[user] += 1
        try:
            position = opening[0]
            yield opening
            while True:
                followed = self._live.follow(_channel(user), position)
                async with aclosing(or_silence(followed, SILENCE_SECONDS)) as updates:
                    async for found in updates:
                        if found is not None:
                            position = found[0]
                        yield (position, found[1]["event"], found[1]["data"]) if found else None
                await asyncio.sleep(WITHOUT_REDIS_SECONDS)
                yield position, *await self._unread(user)
        finally:
            self._streams[user] -= 1
            if not self._streams[user]:
                del self._streams[user]

    async def _unread(self, user: ObjectId) -> tuple[str, Document]:
        return "unread", {"unreadCount": await self._notifications.count_unread(user)}

    async def _announce_unread(self, user: ObjectId, count: int) -> None:
        await self._live.publish(_channel(user), {"event": "unread", "data": {"unreadCount": count}})

    async def _newest(self, user: ObjectId) -> str:
        try:
            return await self._live.latest_id(_channel(user))
        except RedisError as error:
            log.warning("notifications are followed without live updates", error=repr(error))
            return "0-0"


def _channel(user: ObjectId) -> str:
    return f"user:{user}"
