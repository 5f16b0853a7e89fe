"""What auth-service does with the events of others."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from intervai_shared.messaging.inbox import EventHandler

if TYPE_CHECKING:
    from auth_service.container import AuthContainer


def event_handlers(container: "AuthContainer") -> Mapping[str, EventHandler]:
    """By event type. Idempotent by the inbox."""
    return {"preferences.changed": container.accounts.take_preferences}
