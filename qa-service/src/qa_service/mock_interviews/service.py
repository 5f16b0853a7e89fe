"""The rules of mock interviews: they begin, take one answer to each question, and end, by the server's clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError, TooManyRequestsError, UnavailableError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session, object_id
from intervai_shared.resources import Resources
from qa_service.mock_interviews import states
from qa_service.mock_interviews.choosing import choose
from qa_service.mock_interviews.ending import Ending
from qa_service.mock_interviews.repository import InterviewRepository
from qa_service.mock_interviews.schemas import InterviewAnswer, InterviewStart
from qa_service.practice.evidence import fold
from qa_service.practice.reading import AttemptReader
from qa_service.practice.repository import AttemptRepository
from qa_service.practice.service import AttemptService
from qa_service.questions.repository import QuestionRepository
from qa_service.settings import QaSettings

#: Requests of one person that change an interview at the same time are taken one after the other, so often.
TRIES = 4
_REFUSALS = (TooManyRequestsError, UnavailableError)


class _ChangedError(Exception):
    """Another request has changed the interview meanwhile."""


@dataclass(frozen=True)
class _Turn:
    """An answer that is taken (None: skipped), its question (None: deleted), and the question that comes next."""

    interview: Document
    entry: Document
    question: Document | None
    answer: str | None
    following: Document | None


class InterviewService:
    """Mock interviews of one owner at a time."""

    def __init__(
        self,
        resources: Resources,
        settings: QaSettings,
        questions: QuestionRepository,
        attempts: AttemptService,
        ending: Ending,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._resources = resources
        self._seconds = settings.interview_seconds_per_question
        self._questions = questions
        self._attempts = attempts
        self._ending = ending
        self._reader = AttemptReader(AttemptRepository(resources.mongo.db))
        self._interviews = InterviewRepository(resources.mongo.db)
        self._clock = clock

    async def start(self, user: ObjectId, session_id: ObjectId, wanted: InterviewStart) -> Document:
        """Begins an interview with its first question.

        Raises:
            NotFoundError: the user has no such session, or it has no question on these topics.
            ConflictError: one of the session is running.
        """
        if running := await self._interviews.running(user, session_id):
            await self._in_time(user, running)
        pool = self._fitting(await self._interviews.pool(user, session_id), wanted.topics)
        if not pool:
            raise NotFoundError("There is no such session, or it has no questions on these topics.")
        now, count = self._clock(), min(wanted.question_count, len(pool))
        interview = states.new_interview(session_id, wanted, count, wanted.seconds_per_question or self._seconds, now)
        first = choose(pool, [], {}, str(interview["_id"]))
        interview["asked"] = [states.asked_now(first, now)] if first else []

        async def store(transaction: Session) -> Document:
            await self._interviews.insert(user, interview, transaction)
            return interview

        return states.view(await self._resources.mongo.transaction(store), [], now)

    async def answer(self, user: ObjectId, interview_id: ObjectId, given: InterviewAnswer) -> Document:
        """Takes the answer to the question that is asked now, and asks the next one, or ends the interview. It waits
        for no score. The same answer sent again changes nothing; one that may not be scored now is kept all the same.

        Raises:
            NotFoundError: the user has no such interview.
            ConflictError: it has ended, another question is asked, or this one has another answer already.
        """
        for _ in range(TRIES):
            interview = await self._current(user, interview_id)
            entry = states.open_entry(interview)
            if entry is None or str(entry["question"]) != given.question_id:
                return await self._again(user, interview, given)
            try:
                await self._take(user, interview, entry, given)
            except _ChangedError:
                continue
            return await self.get(user, interview_id)
        raise ConflictError("The interview is being changed by other requests.")

    async def get(self, user: ObjectId, interview_id: ObjectId) -> Document:
        """How an interview stands. Raises NotFoundError."""
        interview = await self._current(user, interview_id)
        attempts = await self._reader.of_interview(user, interview_id)
        return states.view(interview, attempts, self._clock())

    async def page(self, user: ObjectId, session_id: ObjectId | None, limit: int, cursor: str | None) -> Document:
        """A page of interviews, the newest first."""
        found = await self._interviews.page(user, session_id, limit + 1, NEWEST_FIRST.position(cursor))
        return NEWEST_FIRST.page([await self._in_time(user, each) for each in found], limit)

    async def finish(self, user: ObjectId, interview_id: ObjectId) -> Document:
        """Ends an interview; one that has ended stays as it is. Raises NotFoundError."""
        interview = await self._current(user, interview_id)
        if interview["status"] == "running":
            await self._ending.end(user, interview, "byPerson", self._clock())
        return await self.get(user, interview_id)

    async def _current(self, user: ObjectId, interview_id: ObjectId) -> Document:
        found = await self._interviews.get(user, interview_id)
        if found is None:
            raise NotFoundError("There is no such mock interview.")
        return await self._in_time(user, found)

    async def _in_time(self, user: ObjectId, interview: Document) -> Document:
        """The interview, ended if its time is up."""
        if not states.is_over(interview, self._clock()):
            return interview
        await self._ending.end(user, interview, "timeUp", self._clock())
        return await self._interviews.get(user, interview["_id"]) or interview

    async def _take(self, user: ObjectId, interview: Document, entry: Document, given: InterviewAnswer) -> None:
        question = await self._questions.get(user, entry["question"]) if given.answer else None
        turn = _Turn(interview, entry, question, given.answer, await self._following(user, interview, given))
        refusal = await self._refusal(user) if question else None
        try:
            await self._store(user, turn, refusal)
        except _REFUSALS as error:
            # A budget is used up: the answer is kept, though nobody will score it.
            await self._store(user, turn, str(error))

    async def _refusal(self, user: ObjectId) -> str | None:
        try:
            await self._attempts.check_may_start(user)
        except _REFUSALS as error:
            return str(error)
        return None

    async def _store(self, user: ObjectId, turn: _Turn, refusal: str | None) -> None:
        """Raises _ChangedError, and what refuses the job of an attempt: then nothing has been stored."""
        now, interview = self._clock(), turn.interview

        async def store(transaction: Session) -> None:
            attempt = await self._add_attempt(transaction, user, turn, refusal)
            asked = [*interview["asked"][:-1], states.closed(interview, turn.entry, now, attempt)]
            if turn.following:
                fields: Document = {"asked": [*asked, states.asked_now(turn.following, now)]}
            else:
                why = "allAnswered" if len(asked) >= interview["questionCount"] else "noMoreQuestions"
                fields = {"asked": asked, **await self._ending.fields(transaction, user, interview, why, now)}
            if not await self._interviews.save(user, interview, fields, transaction):
                raise _ChangedError

        await self._resources.outbox.transaction(store)

    async def _add_attempt(
        self, transaction: Session, user: ObjectId, turn: _Turn, refusal: str | None
    ) -> ObjectId | None:
        """None when the question was skipped, or has been deleted meanwhile."""
        if turn.question is None or turn.answer is None:
            return None
        add = (transaction, user, turn.question, turn.answer, turn.interview["_id"])
        added = await (self._attempts.add_unscored(*add, refusal) if refusal else self._attempts.add(*add))
        return ObjectId(added["id"])

    async def _following(self, user: ObjectId, interview: Document, given: InterviewAnswer) -> Document | None:
        """The next question, by what is known of the scores now; None when it was the last one."""
        asked = interview["asked"]
        if len(asked) >= interview["questionCount"]:
            return None
        pool = self._fitting(await self._interviews.pool(user, interview["session"]), interview["topics"])
        attempts = await self._reader.of_interview(user, interview["_id"])
        scores = {each["question"]: each["score"] for each in attempts if each["status"] == "scored"}
        latest = [*asked[:-1], {**asked[-1], "skipped": given.skip}]
        return choose(pool, latest, scores, str(interview["_id"]))

    async def _again(self, user: ObjectId, interview: Document, given: InterviewAnswer) -> Document:
        """How the interview stands, for who sends an answer again that it has."""
        attempts = await self._reader.of_interview(user, interview["_id"])
        answers = {each["_id"]: fold(each["answer"]) for each in attempts}
        for entry in interview["asked"]:
            if entry["question"] == object_id(given.question_id) and entry["answeredAt"]:
                has = answers.get(entry["attempt"])
                if has == (fold(given.answer) if given.answer else None):
                    return states.view(interview, attempts, self._clock())
                raise ConflictError("This question has been answered already.")
        if interview["status"] != "running":
            raise ConflictError("The mock interview has ended.")
        raise ConflictError("This is not the question that is asked now.")

    @staticmethod
    def _fitting(pool: list[Document], topics: list[str] | None) -> list[Document]:
        wanted = {topic.casefold() for topic in topics or []}
        return [question for question in pool if not wanted or question["category"].casefold() in wanted]
