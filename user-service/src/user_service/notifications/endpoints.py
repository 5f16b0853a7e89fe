"""HTTP of notifications."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from intervai_shared.app import provide
from intervai_shared.auth.dependencies import CurrentUser
from intervai_shared.http.params import Cursor, Limit
from intervai_shared.http.sse import LastEventId, WhileWelcome
from intervai_shared.models import Document
from intervai_shared.mongo import object_id
from user_service.notifications.schemas import NotificationId, NotificationPage, ReadAnswer, ReadRequest
from user_service.notifications.service import NotificationService

router = APIRouter(prefix="/api/v1/notifications", tags=["notifications"])
Service = Annotated[NotificationService, Depends(provide(lambda container: container.notifications))]
Unread = Annotated[bool, Query(description="Only those that have not been read.")]
OneId = Annotated[NotificationId | None, Query(alias="id", description="Only this one.")]


async def _opening(
    user: CurrentUser, notifications: Service, last_event_id: LastEventId = None
) -> tuple[str, str, Document]:
    """Fails, if it does, before a stream begins."""
    return await notifications.opening(user.id, last_event_id)


Opening = Annotated[tuple[str, str, Document], Depends(_opening)]


@router.get("", response_model=NotificationPage)
async def list_notifications(
    user: CurrentUser, notifications: Service, limit: Limit = 20, cursor: Cursor = None, unread: Unread = False
) -> Any:
    """One's notifications, the newest first."""
    return await notifications.page(user.id, limit, cursor, unread=unread)


@router.post("/read", response_model=ReadAnswer)
async def mark_notifications_read(body: ReadRequest, user: CurrentUser, notifications: Service) -> Any:
    """Marks some or all as read."""
    ids = [object_id(one) for one in body.ids] if body.ids is not None else None
    return await notifications.mark_read(user.id, ids)


@router.delete("", status_code=204)
async def clear_notifications(user: CurrentUser, notifications: Service, one: OneId = None) -> None:
    """Removes all, or the one that is named."""
    await notifications.clear(user.id, object_id(one) if one else None)


@router.get("/stream", response_class=EventSourceResponse)
async def follow_notifications(
    user: CurrentUser, notifications: Service, opening: Opening, while_welcome: WhileWelcome
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: first `unread` with the count, then each new `notification`, and `unread` when it changes.
    They end with the token; come back with a fresh one and Last-Event-ID, and nothing is missed."""
    async for update in while_welcome(notifications.follow(user.id, opening)):
        if update is not None:
            position, name, data = update
            yield ServerSentEvent(id=position, event=name, data=data)
