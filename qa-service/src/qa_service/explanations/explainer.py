"""Explains a question: asks the model, keeps what it says with the question."""

from intervai_shared.jobs import JobRun, PermanentError
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session as MongoSession
from qa_service.explanations.prompt import explanation_prompt
from qa_service.explanations.schemas import ExplanationContent
from qa_service.explanations.service import made_for
from qa_service.llm.model import Caller, LanguageModel
from qa_service.llm.replies import Reply
from qa_service.questions.repository import QuestionRepository, question_of
from qa_service.sessions.repository import SessionRepository

_ASKED = ("text", "answer", "keyPoints", "difficulty", "category")
GONE = "The question has been deleted."


class Explainer:
    """Does the jobs of `ExplanationService`. A job that starts again gets the reply that it had."""

    def __init__(
        self, model: LanguageModel, sessions: SessionRepository, questions: QuestionRepository, outbox: Outbox
    ) -> None:
        self._model = model
        self._sessions = sessions
        self._questions = questions
        self._outbox = outbox

    async def work(self, run: JobRun) -> Document:
        """One attempt. A question that is changed meanwhile gets an explanation that is stale."""
        await run.progress(10)
        user, job = run.document["user"], run.document
        question = await self._questions.again(user, question_of(job))
        session = await self._sessions.get(user, job["session"])
        if question is None or session is None:
            raise PermanentError(GONE)
        asked = {name: question[name] for name in _ASKED} | {name: session[name] for name in ("role", "experience")}
        prompt = explanation_prompt(asked)
        caller = Caller(user, run.id)
        reply = await self._model.ask(caller, "0", prompt, ExplanationContent.model_validate_json)
        return await self._store(run, {"explanation": _explanation(question, reply)})

    async def _store(self, run: JobRun, fields: Document) -> Document:
        user, question = run.document["user"], question_of(run.document)
        result = {"questionId": str(question["_id"]), "model": fields["explanation"]["model"]}

        async def effect(transaction: MongoSession) -> None:
            await run.succeed(transaction, result=result)
            if not await self._questions.mark(user, question, fields, transaction):
                raise PermanentError(GONE)

        await self._outbox.transaction(effect)
        return {"result": result}


def _explanation(question: Document, reply: Reply) -> Document:
    content = ExplanationContent.model_validate_json(reply.content).model_dump(by_alias=True)
    of_it = {"version": question.get("version", 1), "madeFor": made_for(question)}
    return {**content, **of_it, "model": reply.model, "createdAt": utc_now()}
