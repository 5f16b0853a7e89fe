"""The worker of qa-service: makes questions, sends the service's events, keeps its projections."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from intervai_shared.jobs import JobRecords
from intervai_shared.messaging.inbox import EventHandler
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.privacy import tasks as privacy
from intervai_shared.privacy.eraser import Extras
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import load_settings
from intervai_shared.storage import FileStorage
from qa_service.analytics.service import TrendingService, open_trending
from qa_service.container import INDEXES
from qa_service.events import EVENTS
from qa_service.explanations.explainer import Explainer
from qa_service.explanations.service import KIND as EXPLANATION
from qa_service.generation.generator import Generator
from qa_service.generation.service import KIND as GENERATION
from qa_service.generation.store import GenerationStore
from qa_service.generation.tasks import LateTeller, tell_generations
from qa_service.generation.variants import Variants
from qa_service.jobs import tasks as jobs
from qa_service.jobs.repository import JobRepository
from qa_service.jobs.starter import QUEUE, JobStarter
from qa_service.jobs.work import JobWork
from qa_service.llm.model import LanguageModel, open_model
from qa_service.llm.tasks import settle_forgotten_calls
from qa_service.mock_interviews.ending import KIND as INTERVIEW_REPORT
from qa_service.mock_interviews.ending import Ending
from qa_service.mock_interviews.reporting import Reporter
from qa_service.mock_interviews.repository import InterviewRepository
from qa_service.mock_interviews.tasks import SWEEP as INTERVIEW_SWEEP
from qa_service.mock_interviews.tasks import end_interviews
from qa_service.practice import tasks as practice
from qa_service.practice.grading import Grader
from qa_service.practice.reading import AttemptReader
from qa_service.practice.repository import AttemptRepository, DraftRepository
from qa_service.practice.service import KIND as GRADING
from qa_service.privacy.holdings import HOLDINGS
from qa_service.projections import PROJECTIONS
from qa_service.questions.repository import QuestionRepository
from qa_service.resumes.extraction import Extractor
from qa_service.resumes.reader import ResumeReader
from qa_service.resumes.repository import ResumeRepository
from qa_service.resumes.service import KIND as RESUME
from qa_service.resumes.tasks import ResumeSweeper, sweep_resumes
from qa_service.reviews.repository import CardRepository, ReviewLog
from qa_service.rewriting.rewriter import Rewriter
from qa_service.rewriting.service import KIND as REWRITING
from qa_service.sessions.repository import SessionRepository
from qa_service.settings import QaSettings

SUBSCRIBERS = {
    "session.created": ["qa-service"],
    "session.deleted": ["qa-service"],
    "questions.generated": ["qa-service", "user-service"],
    "questions.added": ["qa-service"],
    "questions.deleted": ["qa-service"],
    "answer.graded": ["qa-service"],
    "question.reviewed": ["qa-service"],
    "interview.completed": ["qa-service"],
    "user.erased": ["user-service"],
}


@dataclass(frozen=True)
class QaWorker:
    """What a worker process holds."""

    resources: Resources
    work: JobWork
    trending: TrendingService
    erasures: Erasures
    cleanup: practice.Cleanup
    endings: Ending
    resumes: ResumeSweeper
    late_teller: LateTeller
    model: LanguageModel


@asynccontextmanager
async def open_worker(settings: QaSettings) -> AsyncIterator[QaWorker]:
    """Opens everything."""
    async with open_resources(settings, INDEXES) as resources, open_model(settings, resources.mongo) as model:
        yield on_resources(resources, model, settings)


def on_resources(resources: Resources, model: LanguageModel, settings: QaSettings) -> QaWorker:
    """The worker's parts, on what is open."""
    db = resources.mongo.db
    resumes, storage = ResumeRepository(db), FileStorage(settings)
    attempts = AttemptRepository(db)
    store = GenerationStore(SessionRepository(db), QuestionRepository(db), JobRepository(db), resources.outbox, model)
    generator = Generator(settings, store, Variants(resources.redis, settings))
    work = JobWork(
        JobRecords(db.jobs, resources.live),
        {
            RESUME: ResumeReader(resumes, storage, resources.outbox, Extractor(settings.resume_seconds)).work,
            REWRITING: Rewriter(model, SessionRepository(db), QuestionRepository(db), resources.outbox).work,
            EXPLANATION: Explainer(model, SessionRepository(db), QuestionRepository(db), resources.outbox).work,
            GENERATION: generator.work,
            GRADING: Grader(model, attempts, resources.outbox).work,
            INTERVIEW_REPORT: Reporter(model, AttemptReader(attempts), resources, settings).work,
        },
    )
    cleanup = practice.Cleanup(
        [attempts, DraftRepository(db), InterviewRepository(db), CardRepository(db), ReviewLog(db)]
    )
    ending = Ending(db, resources.outbox, JobStarter(resources, settings, JobRepository(db)))
    erasures = Erasures(resources, HOLDINGS, Extras(storage=lambda: storage))
    sweeper = ResumeSweeper(resumes, storage)
    teller = LateTeller(store.jobs, store.sessions, resources.outbox)
    trending = open_trending(resources, settings)
    return QaWorker(resources, work, trending, erasures, cleanup, ending, sweeper, teller, model)


def event_handlers(container: QaWorker) -> Mapping[str, EventHandler]:
    """Of all rooms, by event type."""
    return {**privacy.handlers(container), **practice.event_handlers(container)}


def create_worker() -> ServiceWorker[QaSettings, QaWorker]:
    """Reads the settings from the environment."""
    settings = load_settings(QaSettings)
    threads = settings.generation_threads
    worker = ServiceWorker(settings, open_worker, threads=threads, events=EVENTS, subscribers=SUBSCRIBERS)
    worker.actor(jobs.do_job, QUEUE, records="jobs", bulk=True)
    worker.scheduled(end_interviews, INTERVIEW_SWEEP)
    worker.scheduled(tell_generations, "*/5 * * * *")
    worker.scheduled(sweep_resumes, "50 * * * *")
    worker.scheduled(settle_forgotten_calls, "20 * * * *")
    privacy.declare(worker)
    worker.on_events(event_handlers, PROJECTIONS)
    return worker
