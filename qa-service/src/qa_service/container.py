"""What an API process of qa-service holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from intervai_shared.jobs import JobRecords
from intervai_shared.resources import Resources, open_resources
from qa_service.analytics import repository as analytics
from qa_service.analytics.service import TrendingService, open_trending
from qa_service.generation.service import GenerationService
from qa_service.jobs import repository as jobs
from qa_service.jobs.service import JobService
from qa_service.jobs.starter import JobStarter
from qa_service.llm import repository as llm
from qa_service.questions import repository as questions
from qa_service.questions.service import QuestionService
from qa_service.sessions import repository as sessions
from qa_service.sessions.service import SessionService
from qa_service.settings import QaSettings

INDEXES = {
    **sessions.INDEXES,
    **questions.INDEXES,
    **jobs.INDEXES,
    **llm.INDEXES,
    **analytics.INDEXES,
}


@dataclass(frozen=True)
class QaContainer:
    """The services of the domains, on the chassis's resources."""

    resources: Resources
    sessions: SessionService
    questions: QuestionService
    jobs: JobService
    generation: GenerationService
    trending: TrendingService


@asynccontextmanager
async def open_container(settings: QaSettings) -> AsyncIterator[QaContainer]:
    """Opens everything."""
    async with open_resources(settings, INDEXES) as resources:
        db = resources.mongo.db
        session_repository = sessions.SessionRepository(db)
        question_repository = questions.QuestionRepository(db)
        job_repository = jobs.JobRepository(db)
        starter = JobStarter(resources, settings, job_repository)
        generations = GenerationService(resources, settings, session_repository, starter)
        yield QaContainer(
            resources,
            SessionService(resources, session_repository, question_repository, generations),
            QuestionService(resources.mongo, session_repository, question_repository),
            JobService(job_repository, JobRecords(db.jobs, resources.live), resources.live),
            generations,
            open_trending(resources, settings),
        )
