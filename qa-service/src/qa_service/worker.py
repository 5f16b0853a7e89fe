"""The worker of qa-service: makes questions, sends the service's events, keeps its projections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from intervai_shared.jobs import JobRecords
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.privacy import tasks as privacy
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import load_settings
from qa_service.analytics.service import TrendingService, open_trending
from qa_service.container import INDEXES
from qa_service.events import EVENTS
from qa_service.generation.generator import GenerationStore, Generator
from qa_service.generation.service import KIND as GENERATION
from qa_service.jobs import tasks as jobs
from qa_service.jobs.starter import QUEUE
from qa_service.jobs.work import JobWork
from qa_service.llm.model import LanguageModel, open_model
from qa_service.privacy.holdings import HOLDINGS
from qa_service.projections import PROJECTIONS
from qa_service.questions.repository import QuestionRepository
from qa_service.sessions.repository import SessionRepository
from qa_service.settings import QaSettings

SUBSCRIBERS = {
    "session.created": ["qa-service"],
    "questions.generated": ["user-service"],
    "user.erased": ["user-service"],
}


@dataclass(frozen=True)
class QaWorker:
    """What a worker process holds."""

    resources: Resources
    work: JobWork
    trending: TrendingService
    erasures: Erasures


@asynccontextmanager
async def open_worker(settings: QaSettings) -> AsyncIterator[QaWorker]:
    """Opens everything."""
    async with open_resources(settings, INDEXES) as resources, open_model(settings, resources.mongo.db) as model:
        yield on_resources(resources, model, settings)


def on_resources(resources: Resources, model: LanguageModel, settings: QaSettings) -> QaWorker:
    """The worker's parts, on what is open."""
    db = resources.mongo.db
    store = GenerationStore(SessionRepository(db), QuestionRepository(db), resources.outbox)
    work = JobWork(
        JobRecords(db.jobs, resources.live),
        {
            GENERATION: Generator(model, settings.generation_batch, store).work,
        },
    )
    return QaWorker(resources, work, open_trending(resources, settings), Erasures(resources, HOLDINGS))


def create_worker() -> ServiceWorker[QaSettings, QaWorker]:
    """Reads the settings from the environment."""
    settings = load_settings(QaSettings)
    threads = settings.generation_threads
    worker = ServiceWorker(settings, open_worker, threads=threads, events=EVENTS, subscribers=SUBSCRIBERS)
    worker.actor(jobs.do_job, QUEUE, records="jobs", bulk=True)
    privacy.declare(worker)
    worker.on_events(privacy.handlers, PROJECTIONS)
    return worker
