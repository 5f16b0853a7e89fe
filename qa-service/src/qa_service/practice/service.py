"""The rules of attempts: handing an answer in, looking at its score, keeping the best."""

import hashlib

from bson import ObjectId

from intervai_shared.errors import NotFoundError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from qa_service.jobs.starter import JobStarter
from qa_service.practice import prompt, rubric
from qa_service.practice.evidence import fold
from qa_service.practice.reading import AttemptReader
from qa_service.practice.repository import AttemptRepository, DraftRepository
from qa_service.practice.schemas import NewAttempt
from qa_service.questions.repository import QuestionRepository
from qa_service.settings import QaSettings

KIND = "grading"
_ASKED = ("text", "answer", "keyPoints", "category", "difficulty")


class AttemptService:
    """Attempts of one owner at a time; the worker's `Grader` scores them."""

    def __init__(
        self, resources: Resources, settings: QaSettings, questions: QuestionRepository, jobs: JobStarter
    ) -> None:
        self._resources = resources
        self._rule = settings.rate_limit_grading
        self._questions = questions
        self._jobs = jobs
        self._attempts = AttemptRepository(resources.mongo.db)
        self._reader = AttemptReader(self._attempts)
        self._drafts = DraftRepository(resources.mongo.db)

    async def start(self, user: ObjectId, question_id: ObjectId, wanted: NewAttempt) -> Document:
        """Stores an answer and the job that scores it, and removes the draft, in one transaction.

        Raises:
            NotFoundError: the user has no such question.
            TooManyRequestsError: the user's attempts of this hour, or their budget, are used up.
            UnavailableError: too many jobs wait already.
        """
        question = await own_question(self._questions, user, question_id)
        await self.check_may_start(user)

        async def store(transaction: Session) -> Document:
            await self._drafts.empty(user, question_id, wanted.draft_version, transaction)
            return await self.add(transaction, user, question, wanted.answer)

        return await self._resources.outbox.transaction(store)

    async def check_may_start(self, user: ObjectId) -> None:
        """Counts one attempt of the user. Raises TooManyRequestsError, UnavailableError."""
        await self._jobs.check(user, KIND, self._rule)

    async def add(
        self, transaction: Session, user: ObjectId, question: Document, answer: str, interview: ObjectId | None = None
    ) -> Document:
        """Writes an attempt with its job in the caller's transaction; `{id, jobId, status}`.

        Raises:
            TooManyRequestsError, UnavailableError: a budget is used up.
        """
        attempt = new_attempt(question, answer, interview)
        job = await self._jobs.add(
            transaction,
            user,
            KIND,
            estimate_tokens=prompt.TOKENS,
            session=question["session"],
            question=question["_id"],
            attemptId=attempt["_id"],
        )
        await self._attempts.insert(user, {**attempt, "job": job["_id"]}, transaction)
        return {"id": attempt["_id"], "jobId": job["_id"], "status": "queued"}

    async def add_unscored(
        self, transaction: Session, user: ObjectId, question: Document, answer: str, interview: ObjectId, reason: str
    ) -> Document:
        """Keeps an answer that nobody will score; `{id, jobId, status}`."""
        attempt = {**new_attempt(question, answer, interview), "job": None, "status": "notScored", "reason": reason}
        await self._attempts.insert(user, attempt, transaction)
        return {"id": attempt["_id"], "jobId": None, "status": "notScored"}

    async def page(self, user: ObjectId, question_id: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the attempts at a question, the newest first, with `practice`. Raises NotFoundError."""
        found = await self._attempts.page(user, question_id, limit + 1, NEWEST_FIRST.position(cursor))
        if not found:
            await own_question(self._questions, user, question_id)
        page = NEWEST_FIRST.page(await self._reader.settled(user, found), limit)
        states = await self._attempts.practice(user, [question_id])
        practice = states[0] if states else {}
        items = [{**each, "isBest": each["_id"] == practice.get("bestAttempt")} for each in page["items"]]
        return {**page, "items": items, "practice": practice}

    async def get(self, user: ObjectId, attempt_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such attempt."""
        found = await self._attempts.get(user, attempt_id)
        if found is None:
            raise NotFoundError("There is no such attempt.")
        [attempt] = await self._reader.settled(user, [found])
        states = await self._attempts.practice(user, [found["question"]])
        return {**attempt, "isBest": any(state.get("bestAttempt") == attempt_id for state in states)}

    async def delete(self, user: ObjectId, attempt_id: ObjectId) -> None:
        """Removes an attempt; the best of the others becomes the best. Raises NotFoundError."""
        attempt = await self.get(user, attempt_id)

        async def remove(transaction: Session) -> None:
            if not await self._attempts.delete(user, attempt_id, transaction):
                raise NotFoundError("There is no such attempt.")
            await self._attempts.sum_up(user, attempt["question"], attempt["session"], transaction)

        await self._resources.mongo.transaction(remove)


async def own_question(questions: QuestionRepository, user: ObjectId, question_id: ObjectId) -> Document:
    """Raises NotFoundError when the user has no such question."""
    if found := await questions.get(user, question_id):
        return found
    raise NotFoundError("There is no such question.")


def new_attempt(question: Document, answer: str, interview: ObjectId | None) -> Document:
    """An attempt to store, with the question as it is now: it may change before the answer is scored."""
    now = utc_now()
    asked = {name: question[name] for name in _ASKED}
    return {
        "_id": ObjectId(),
        "session": question["session"],
        "question": question["_id"],
        "interview": interview,
        "asked": asked,
        "answer": answer,
        "fingerprint": fingerprint(asked, answer),
        "status": "queued",
        "score": None,
        "createdAt": now,
        "updatedAt": now,
    }


def fingerprint(asked: Document, answer: str) -> str:
    """The same for what must get the same score: this question, this answer but for case, punctuation and spaces,
    judged by these rules."""
    parts = [prompt.VERSION, rubric.VERSION, asked["text"], asked["answer"], *asked["keyPoints"], fold(answer)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
