"""Writes a question anew: ask the model, refuse what is there already, replace the content."""

from bson import ObjectId

from intervai_shared.jobs import JobRun, PermanentError
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session as MongoSession
from qa_service.generation.schemas import GeneratedSet
from qa_service.generation.similarity import Known
from qa_service.llm.model import Caller, LanguageModel
from qa_service.questions.changes import QuestionChanges
from qa_service.questions.repository import QuestionRepository, question_of
from qa_service.questions.texts import normalised
from qa_service.rewriting.prompt import rewriting_prompt
from qa_service.sessions.repository import SessionRepository

#: How often the model is asked for another when it gives what is there already.
MOST_CALLS = 4
#: The newest questions of a person that a new one is compared with.
MOST_KNOWN = 500
#: The newest texts of the session are told to the model; against all of them its answer is checked.
MOST_EXCLUDED = 100


class RepeatedError(Exception):
    """Somebody has meanwhile added the same question to the session."""


class Rewriter:
    """Does the jobs of `RewritingService`. A job that starts again gets the replies that it had."""

    def __init__(
        self, model: LanguageModel, sessions: SessionRepository, questions: QuestionRepository, outbox: Outbox
    ) -> None:
        self._model = model
        self._sessions = sessions
        self._questions = questions
        self._outbox = outbox
        self._changes = QuestionChanges(outbox, questions)

    async def work(self, run: JobRun) -> Document:
        """One attempt."""
        await run.progress(10)
        user, job = run.document["user"], run.document
        question = await self._questions.again(user, question_of(job))
        session = await self._sessions.get(user, job["session"])
        if question is None or session is None:
            raise PermanentError("The question has been deleted.")
        if session.get("isArchived"):
            raise PermanentError("The session has been archived.")
        while True:
            content = await self._ask(run, question, session)
            try:
                return await self._store(run, content)
            except RepeatedError:
                continue

    async def _ask(self, run: JobRun, question: Document, session: Document) -> Document:
        """New content that repeats nothing."""
        job = run.document
        known, others = await self._known(job["user"], question, own=not job["instruction"])
        wanted = {
            "task": "rewriting",
            "question": {name: question[name] for name in ("text", "answer", "difficulty", "category")},
            **{name: session[name] for name in ("role", "experience")},
            **{name: job[name] for name in ("instruction", "difficulty")},
        }
        for call in range(MOST_CALLS):
            prompt = rewriting_prompt({**wanted, "exclude": others[-MOST_EXCLUDED:]}, job["quality"])
            caller = Caller(job["user"], run.id)
            reply = await self._model.ask(caller, str(call), prompt, GeneratedSet.model_validate_json)
            [*found] = GeneratedSet.model_validate_json(reply.content).questions[:1]
            if found and not known.has(found[0].text, found[0].category):
                return {**found[0].model_dump(by_alias=True), "model": reply.model}
            others += [each.text for each in found]
        raise PermanentError("The model found no other question.")

    async def _known(self, user: ObjectId, question: Document, *, own: bool) -> tuple[Known, list[str]]:
        """What must not come again: the person's other questions, with `own` also this one; and the texts of those in
        its session."""
        there = await self._questions.briefs_of_session(user, question["session"])
        elsewhere = [
            each for each in await self._questions.known(user, MOST_KNOWN) if each["session"] != question["session"]
        ]
        known = Known()
        for each in [*there, *elsewhere]:
            if own or each["text"] != question["text"]:
                known.add(each["text"], each["category"])
        return known, [each["text"] for each in there if own or each["text"] != question["text"]]

    async def _store(self, run: JobRun, content: Document) -> Document:
        """Raises RepeatedError, PermanentError, LostLeaseError: then nothing has been stored."""
        user, job = run.document["user"], run.document
        result = {"questionId": str(job["question"]), "model": content["model"]}

        async def effect(transaction: MongoSession) -> None:
            # Whoever adds questions writes the session, so no other can come between this look and the commit.
            if not await self._sessions.add_questions(user, job["session"], 0, transaction):
                raise PermanentError("The session has been deleted or archived.")
            current = await self._questions.again(user, question_of(job), transaction)
            if current is None:
                raise PermanentError("The question has been deleted.")
            texts = await self._questions.texts_of_session(user, job["session"], transaction)
            others = {normalised(text) for text in texts if text != current["text"]}
            if normalised(content["text"]) in others:
                raise RepeatedError
            await run.succeed(transaction, result=result)
            await self._changes.apply(transaction, user, current, content, "regeneration")

        await self._outbox.transaction(effect)
        return {"result": result}
