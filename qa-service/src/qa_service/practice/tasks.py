"""What practice does with events: what belongs to deleted questions goes too."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from bson import ObjectId

from intervai_shared.messaging.inbox import EventHandler
from intervai_shared.models import Document
from intervai_shared.mongo import Session, object_id

if TYPE_CHECKING:
    from qa_service.worker import QaWorker


class Forgets(Protocol):
    """A repository that holds something about questions."""

    async def forget(self, user: ObjectId, session: Session, where: Document) -> None:
        """`where` is `{session: id}` or `{question: [ids]}`."""


class Cleanup:
    """Removes what was deleted from all of them. Doing it again removes nothing more."""

    def __init__(self, repositories: Sequence[Forgets]) -> None:
        self._repositories = repositories

    async def session_deleted(self, event: Document, session: Session) -> None:
        """On `session.deleted`."""
        await self._forget(event, session, {"session": object_id(event["aggregateId"])})

    async def questions_deleted(self, event: Document, session: Session) -> None:
        """On `questions.deleted`."""
        if questions := [object_id(question) for question in event["data"]["questions"]]:
            await self._forget(event, session, {"question": questions})

    async def _forget(self, event: Document, session: Session, where: Document) -> None:
        for repository in self._repositories:
            await repository.forget(object_id(event["data"]["user"]), session, where)


def event_handlers(container: "QaWorker") -> Mapping[str, EventHandler]:
    """By event type. Idempotent by the inbox."""
    return {
        "session.deleted": container.cleanup.session_deleted,
        "questions.deleted": container.cleanup.questions_deleted,
    }
