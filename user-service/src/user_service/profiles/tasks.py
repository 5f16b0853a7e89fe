"""What user-service does with events, and its actors."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from intervai_shared.messaging.inbox import EventHandler
from intervai_shared.mongo import object_id

if TYPE_CHECKING:
    from user_service.container import UserContainer


def event_handlers(container: "UserContainer") -> Mapping[str, EventHandler]:
    """By event type. Idempotent by the inbox."""
    return {"user.registered": container.profiles.create, "user.email-changed": container.profiles.change_email}


async def forget_profile(container: "UserContainer", user: str) -> None:
    """Removes the cached copy of a profile that was changed. Idempotent: what is gone stays gone, or is loaded anew."""
    await container.profiles.forget(object_id(user))
