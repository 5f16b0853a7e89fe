"""A change of what a question says: a new version of it, and the event that tells of it, in one transaction."""

from bson import ObjectId

from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from qa_service.events import QuestionChanged
from qa_service.questions.repository import QuestionRepository

#: What a question says. The rest (pin, explanation, times) has no history.
CONTENT = ("text", "answer", "difficulty", "category", "keyPoints", "followUps", "notes", "model")


class QuestionChanges:
    """Everybody who changes the content of a question does it through this, so that no change lacks its event."""

    def __init__(self, outbox: Outbox, questions: QuestionRepository) -> None:
        self._outbox = outbox
        self._questions = questions

    async def apply(
        self, transaction: Session, user: ObjectId, question: Document, fields: Document, cause: str
    ) -> Document:
        """The question after the change. `question` must have been read in the same transaction: who changes it at the
        same time begins anew. Without a difference nothing is written.

        `fields`: content, and what else is to be set with it; `cause`: as in the event `question.changed`.
        """
        if planned := change_of(user, question, fields, cause):
            fields = {**fields, "version": planned.version}
            await self._outbox.add_event(transaction, question["_id"], planned)
        elif all(question.get(name) == value for name, value in fields.items()):
            return question
        fields = {**fields, "updatedAt": utc_now()}
        await self._questions.update(user, question, fields, transaction)
        return {**question, **fields}


def change_of(user: ObjectId, question: Document, fields: Document, cause: str) -> QuestionChanged | None:
    """The event of a change; None when it changes nothing of the content."""
    after = {name: fields[name] for name in CONTENT if name in fields and fields[name] != question.get(name)}
    if not after:
        return None
    return QuestionChanged.model_validate(
        {
            "user": user,
            "session": question["session"],
            "cause": cause,
            "version": question.get("version", 1) + 1,
            "before": {name: question.get(name) for name in after},
            "after": after,
        }
    )
