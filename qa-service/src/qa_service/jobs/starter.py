"""Starting jobs: their limits, their records, their messages."""

from typing import Any

from bson import ObjectId

from intervai_shared.jobs import JobRecords
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from qa_service.jobs.repository import JobRepository
from qa_service.llm.budgets import Budgets
from qa_service.settings import QaSettings

ACTOR = "do_job"
QUEUE = "generation"


class JobStarter:
    """Starts jobs of every kind; the worker's `JobWork` does them."""

    def __init__(self, resources: Resources, settings: QaSettings, jobs: JobRepository) -> None:
        self._resources = resources
        self._settings = settings
        self._jobs = jobs
        self._budgets = Budgets(settings, resources.mongo.db, jobs)

    async def check(self, user: ObjectId, kind: str, rule: str) -> None:
        """Call it before the transaction: counts one job of this kind against the user's limit, like `20/hour`.

        Raises:
            TooManyRequestsError: the user's limit is used up.
            UnavailableError: too many jobs wait already.
        """
        await self._resources.backpressure.check(QUEUE, self._settings.queue_limit_generation)
        await self._resources.limits.hit(kind, rule, str(user))

    async def add(
        self,
        transaction: Session,
        user: ObjectId,
        kind: str,
        *,
        bulk: bool = False,
        estimate_tokens: int = 4_000,
        **fields: Any,
    ) -> Document:
        """Writes a job record and its message in the caller's transaction; the record.

        `bulk`: it may wait for those that are not. `estimate_tokens`: what its answers may have, reserved of the
        user's budget while the job waits or runs. `fields`: what its work needs; `session` names the interview
        session, if it is about one; `quality` the model, if it is not the standard one.

        Raises:
            TooManyRequestsError: the user's budget of today is used up.
            UnavailableError: the system's budget of this hour is.
        """
        micros = self._budgets.estimate_micros(estimate_tokens, fields.get("quality") or "standard")
        await self._budgets.reserve(transaction, user, micros)
        job = JobRecords.new(kind, user, estimateTokens=estimate_tokens, estimateMicros=micros, **fields)
        await self._jobs.insert(user, job, transaction)
        await self._resources.outbox.add_job(transaction, ACTOR, QUEUE, str(job["_id"]), bulk=bulk)
        return job
