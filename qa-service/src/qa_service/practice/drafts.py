"""The rules of drafts: saved again and again while somebody types, and never overwritten by an older save."""

from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.models import Document
from qa_service.practice.repository import DraftRepository
from qa_service.practice.schemas import DraftChange
from qa_service.practice.service import own_question
from qa_service.questions.repository import QuestionRepository

#: Saves without a version that lose against another try again so often.
TRIES = 5


class DraftService:
    """One draft for each question."""

    def __init__(self, drafts: DraftRepository, questions: QuestionRepository) -> None:
        self._drafts = drafts
        self._questions = questions

    async def get(self, user: ObjectId, question_id: ObjectId) -> Document:
        """Raises NotFoundError when there is no draft."""
        found = await self._drafts.get(user, question_id)
        if found is None or found["answer"] is None:
            raise NotFoundError("There is no draft for this question.")
        return found

    async def save(self, user: ObjectId, question_id: ObjectId, change: DraftChange) -> Document:
        """The draft as it is now stored. A save that is sent again changes nothing.

        Raises:
            NotFoundError: the user has no such question.
            ConflictError: there is a newer version, named in `version`.
        """
        question = await own_question(self._questions, user, question_id)
        for _ in range(TRIES):
            version = change.version or await self._next_version(user, question_id)
            if await self._drafts.put(user, question_id, question["session"], change.answer, version):
                break
            if change.version is not None:
                break
        stored = await self._drafts.get(user, question_id)
        if stored is None or stored["version"] != version or stored["answer"] != change.answer:
            newest = stored["version"] if stored else 0
            raise ConflictError("There is a newer version of this draft.", version=newest)
        return stored

    async def delete(self, user: ObjectId, question_id: ObjectId) -> None:
        """Removes the draft, if there is one. Raises NotFoundError when the user has no such question."""
        await own_question(self._questions, user, question_id)
        await self._drafts.empty(user, question_id, None)

    async def _next_version(self, user: ObjectId, question_id: ObjectId) -> int:
        stored = await self._drafts.get(user, question_id)
        return int(stored["version"]) + 1 if stored else 1
