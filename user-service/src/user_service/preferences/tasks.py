"""What preferences do with events."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from intervai_shared.messaging.inbox import EventHandler

if TYPE_CHECKING:
    from user_service.container import UserContainer


def event_handlers(container: "UserContainer") -> Mapping[str, EventHandler]:
    """By event type. Idempotent by the inbox."""
    return {"user.unsubscribed": container.preferences.unsubscribe}
