"""Writes the report of a mock interview: the computed part always, a model's advice when there is one."""

import asyncio
from collections.abc import Sequence

from intervai_shared.jobs import JobRun, PermanentError
from intervai_shared.logs import log
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from qa_service.llm.model import Caller, LanguageModel
from qa_service.mock_interviews.ending import completed
from qa_service.mock_interviews.prompt import VERSION, AdviceReply, advice_prompt
from qa_service.mock_interviews.report import report_of
from qa_service.mock_interviews.repository import InterviewRepository
from qa_service.practice.reading import AttemptReader
from qa_service.settings import QaSettings

GONE = "The mock interview has been deleted."
#: Seconds between two looks whether the last answers are scored.
LOOK_SECONDS = 0.5


class Reporter:
    """Does jobs of the kind `interview_report`."""

    def __init__(
        self,
        model: LanguageModel,
        attempts: AttemptReader,
        resources: Resources,
        settings: QaSettings,
    ) -> None:
        self._model = model
        self._interviews = InterviewRepository(resources.mongo.db)
        self._attempts = attempts
        self._outbox = resources.outbox
        self._patience = settings.interview_report_patience_seconds

    async def work(self, run: JobRun) -> Document:
        """One attempt of the job: report and event are stored in the transaction that ends it."""
        user, interview_id = run.document["user"], run.document["interview"]
        interview = await self._interviews.get(user, interview_id)
        if interview is None:
            raise PermanentError(GONE)
        report = report_of(interview, await self._scored(run))
        await run.progress(50)
        report["advice"] = await self._advice(run, interview, report)
        result = {"interview": str(interview_id), "score": report["score"]}

        async def effect(transaction: Session) -> None:
            await run.succeed(transaction, result=result)
            if not await self._interviews.store_report(user, interview_id, report, transaction):
                raise PermanentError(GONE)
            await self._outbox.add_event(transaction, interview_id, completed(user, interview, report))

        await self._outbox.transaction(effect)
        return {"result": result}

    async def _scored(self, run: JobRun) -> Sequence[Document]:
        """The attempts, when all have a score or will get none, or the patience is at its end."""
        user, interview_id = run.document["user"], run.document["interview"]
        for _ in range(int(self._patience / LOOK_SECONDS)):
            attempts = await self._attempts.of_interview(user, interview_id)
            if all(attempt["status"] != "queued" for attempt in attempts):
                return attempts
            await asyncio.sleep(LOOK_SECONDS)
        return await self._attempts.of_interview(user, interview_id)

    async def _advice(self, run: JobRun, interview: Document, report: Document) -> Document | None:
        """None without a model: the report does not wait for it longer than a second attempt of the job."""
        if report["score"] is None:
            return None
        caller = Caller(run.document["user"], run.id)
        try:
            reply = await self._model.ask(
                caller, "advice", advice_prompt(interview, report), AdviceReply.model_validate_json
            )
        except Exception as error:
            if run.attempt == 1 and not isinstance(error, PermanentError):
                raise
            log.warning("a mock interview gets no advice", jobId=str(run.id), error=repr(error))
            return None
        told = AdviceReply.model_validate_json(reply.content).model_dump(by_alias=True)
        return {**told, "model": reply.model, "promptVersion": VERSION}
