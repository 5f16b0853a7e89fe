"""Scores an attempt: ask the model for its judgement, check its evidence, compute the score, store all of it once."""

from bson import ObjectId

from intervai_shared.jobs import JobRun, PermanentError
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from qa_service.events import AnswerGraded
from qa_service.llm.model import Caller, LanguageModel
from qa_service.practice import prompt, rubric
from qa_service.practice.evidence import Answer
from qa_service.practice.prompt import Judgement
from qa_service.practice.repository import AttemptRepository

GONE = "The attempt has been deleted."


class Grader:
    """Does jobs of the kind `grading`."""

    def __init__(self, model: LanguageModel, attempts: AttemptRepository, outbox: Outbox) -> None:
        self._model = model
        self._attempts = attempts
        self._outbox = outbox

    async def work(self, run: JobRun) -> Document:
        """One attempt of the job: the score and its event are stored in the transaction that ends the job."""
        user, attempt_id = run.document["user"], run.document["attemptId"]
        attempt = await self._attempts.get(user, attempt_id)
        if attempt is None:
            raise PermanentError(GONE)
        await run.progress(10)
        scored = await self._scored(run, attempt)
        result = {"attempt": str(attempt_id), "score": scored["score"], "band": scored["band"]}

        async def effect(transaction: Session) -> None:
            await run.succeed(transaction, result=result)
            if not await self._attempts.score(user, attempt_id, scored, transaction):
                raise PermanentError(GONE)
            await self._attempts.sum_up(user, attempt["question"], attempt["session"], transaction)
            await self._outbox.add_event(transaction, attempt["question"], _event(user, attempt, scored["score"]))

        await self._outbox.transaction(effect)
        return {"result": result}

    async def _scored(self, run: JobRun, attempt: Document) -> Document:
        """The fields of a scored attempt."""
        answer = Answer(attempt["answer"])
        if reason := rubric.hopeless(answer, attempt["asked"]["text"]):
            return _worthless(answer, attempt["asked"], reason)
        earlier = await self._attempts.scored_like(attempt["user"], attempt["fingerprint"])
        if earlier and earlier.get("judgement"):
            source = {**earlier["provenance"], "by": "reuse"}
            source["reusedFrom"] = source.get("reusedFrom") or earlier["_id"]
            return _judged(answer, attempt["asked"], Judgement.model_validate(earlier["judgement"]), source)
        asking = prompt.grading_prompt(attempt["asked"], answer.counted)
        caller = Caller(attempt["user"], run.id)
        reply = await self._model.ask(caller, "grade", asking, Judgement.model_validate_json)
        return _judged(
            answer, attempt["asked"], Judgement.model_validate_json(reply.content), _source("model", reply.model)
        )


def _judged(answer: Answer, asked: Document, judgement: Judgement, source: Document) -> Document:
    graded = rubric.grade(answer, asked["keyPoints"], judgement)
    made = {point["text"]: point["verdict"] for point in graded.points}
    feedback = {
        "good": [text for text, verdict in made.items() if verdict in {"covered", "partly"}],
        "missing": [text for text, verdict in made.items() if verdict != "covered"],
        "comment": judgement.comment,
        "betterAnswer": judgement.better_answer,
    }
    return {
        **_scored_fields(answer, graded.score, source),
        "points": graded.points,
        "qualities": graded.qualities,
        "feedback": feedback,
        "judgement": judgement.model_dump(by_alias=True),
    }


def _worthless(answer: Answer, asked: Document, reason: str) -> Document:
    """What needs no model: nothing was said."""
    points = [{"text": text, "verdict": "missing", "span": None} for text in asked["keyPoints"]]
    feedback = {"good": [], "missing": asked["keyPoints"], "comment": None, "betterAnswer": asked["answer"] or None}
    source = _source("rule", None)
    return {**_scored_fields(answer, 0, source), "reason": reason, "points": points, "feedback": feedback}


def _scored_fields(answer: Answer, score: int, source: Document) -> Document:
    return {
        "status": "scored",
        "score": score,
        "band": rubric.band_of(score),
        "ignoredSpans": [{"start": span.start, "end": span.end} for span in answer.ignored],
        "provenance": source,
        "scoredAt": utc_now(),
    }


def _source(by: str, model: str | None) -> Document:
    return {"by": by, "model": model, "promptVersion": prompt.VERSION, "rubricVersion": rubric.VERSION}


def _event(user: ObjectId, attempt: Document, score: int) -> AnswerGraded:
    asked = attempt["asked"]
    return AnswerGraded(
        user=user,
        session=attempt["session"],
        attempt=attempt["_id"],
        score=score,
        category=asked["category"],
        difficulty=asked["difficulty"],
    )
