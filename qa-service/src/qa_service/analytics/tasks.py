"""What the projections do with events."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from intervai_shared.messaging.inbox import EventHandler

if TYPE_CHECKING:
    from qa_service.worker import QaWorker


def event_handlers(container: "QaWorker") -> Mapping[str, EventHandler]:
    """By event type. Idempotent by the inbox."""
    return {"session.created": container.trending.apply}
