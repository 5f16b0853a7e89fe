"""What notifications are made of, and the actor that announces them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from intervai_shared.messaging.inbox import EventHandler
from intervai_shared.models import Document
from intervai_shared.mongo import Session, object_id
from user_service.notifications import messages
from user_service.notifications.messages import Message

if TYPE_CHECKING:
    from user_service.container import UserContainer


def event_handlers(container: "UserContainer") -> Mapping[str, EventHandler]:
    """By event type. Idempotent by the inbox."""

    def adds(message_of: Callable[[Document], Message], owner: Callable[[Document], str]) -> EventHandler:
        async def add(event: Document, session: Session) -> None:
            await container.notifications.add(object_id(owner(event)), message_of(event), session)

        return add

    return {
        "questions.generated": adds(messages.questions_generated, _user_of),
        "export.completed": adds(messages.export_ready, _user_of),
        "user.new-device": adds(messages.new_login, _aggregate_of),
    }


async def announce_notification(container: "UserContainer", user: str, notification_id: str) -> None:
    """Tells of a new notification. Run twice, those who follow hear of it twice, under the same id."""
    await container.notifications.announce(object_id(user), object_id(notification_id))


def _user_of(event: Document) -> str:
    return str(event["data"]["user"])


def _aggregate_of(event: Document) -> str:
    return str(event["aggregateId"])
