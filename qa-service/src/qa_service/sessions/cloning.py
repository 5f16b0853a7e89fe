"""Copies of sessions."""

from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.models import Document
from qa_service.questions.repository import QuestionRepository
from qa_service.questions.service import new_question
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.rules import NOT_FOUND
from qa_service.sessions.schemas import SessionClone
from qa_service.sessions.storing import WholeSessions, new_session

#: More would make the transaction long; a session comes to so many only by dozens of generations.
MOST_QUESTIONS = 1000
#: What describes the interview goes with the copy.
_DESCRIBED = ("role", "experience", "topics", "jobDescription", "resumeId", "resumeText")
#: What a question says goes with it; what somebody has done with it (scores, drafts, its history) stays.
_SAID = ("text", "answer", "difficulty", "category", "keyPoints", "followUps", "isPinned", "model")


class SessionCloner:
    """Makes a session of another, with its questions."""

    def __init__(self, sessions: SessionRepository, questions: QuestionRepository, whole: WholeSessions) -> None:
        self._sessions = sessions
        self._questions = questions
        self._whole = whole

    async def clone(self, user: ObjectId, session_id: ObjectId, wanted: SessionClone) -> Document:
        """A new session with copies of the questions, all in one transaction; emits `session.created` and
        `questions.added`. An archived session can be cloned; its copy is not archived.

        Raises:
            NotFoundError: the user has no such session.
            ConflictError: it has more questions than are copied at once.
        """
        original = await self._sessions.get(user, session_id)
        if original is None:
            raise NotFoundError(NOT_FOUND)
        questions = [
            question
            for question in await self._questions.all_of_session(user, session_id)
            if question["isPinned"] or not wanted.only_pinned
        ]
        if len(questions) > MOST_QUESTIONS:
            raise ConflictError(f"A session with more than {MOST_QUESTIONS} questions cannot be cloned.")
        session = _copy_of(original, wanted, len(questions))
        copies = _copies(questions, session["_id"], with_notes=wanted.with_notes)
        return await self._whole.store(user, session, copies)


def _copy_of(original: Document, wanted: SessionClone, count: int) -> Document:
    described = {field: original[field] for field in _DESCRIBED if field in original}
    title = wanted.title or f"{original['title']} (copy)"[:200]
    return {**new_session({"title": title, **described}, count), "clonedFrom": original["_id"]}


def _copies(questions: list[Document], session_id: ObjectId, *, with_notes: bool) -> list[Document]:
    """In list order, like their originals: made from the last to the first, since of the questions of one moment the
    list shows the highest id first."""
    copies = []
    for question in reversed(questions):
        content = {field: question[field] for field in _SAID if field in question}
        if with_notes:
            content["notes"] = question["notes"]
        copy = new_question(session_id, content, source=question["source"])
        copies.append({**copy, "clonedFrom": question["_id"]})
    return copies[::-1]
