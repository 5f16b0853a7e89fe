"""What an API process of qa-service holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from intervai_shared.jobs import JobRecords
from intervai_shared.resources import Resources, open_resources
from intervai_shared.storage import FileStorage
from qa_service.analytics import progress_repository as progress
from qa_service.analytics import repository as analytics
from qa_service.analytics.progress_service import ProgressService, open_progress
from qa_service.analytics.service import TrendingService, open_trending
from qa_service.collections import repository as collections
from qa_service.collections.service import CollectionService
from qa_service.explanations.service import ExplanationService
from qa_service.generation.service import GenerationService
from qa_service.jobs import repository as jobs
from qa_service.jobs.service import JobService
from qa_service.jobs.starter import JobStarter
from qa_service.llm import repository as llm
from qa_service.llm.service import UsageService
from qa_service.mock_interviews import repository as interviews
from qa_service.mock_interviews.ending import Ending
from qa_service.mock_interviews.service import InterviewService
from qa_service.practice import repository as attempts
from qa_service.practice.drafts import DraftService
from qa_service.practice.service import AttemptService
from qa_service.questions import repository as questions
from qa_service.questions.bulk import BulkService
from qa_service.questions.history import QuestionHistory
from qa_service.questions.search import QuestionSearch
from qa_service.questions.service import QuestionService
from qa_service.resumes import repository as resumes
from qa_service.resumes.service import ResumeService
from qa_service.reviews import repository as reviews
from qa_service.reviews.service import ReviewService
from qa_service.rewriting.service import RewritingService
from qa_service.sessions import repository as sessions
from qa_service.sessions.cloning import SessionCloner
from qa_service.sessions.importing import SessionImporter
from qa_service.sessions.service import SessionService
from qa_service.sessions.storing import WholeSessions
from qa_service.settings import QaSettings
from qa_service.shares import repository as shares
from qa_service.shares.service import ShareService
from qa_service.templates import repository as templates
from qa_service.templates.service import TemplateService

INDEXES = {
    **sessions.INDEXES,
    **resumes.INDEXES,
    **shares.INDEXES,
    **templates.INDEXES,
    **questions.INDEXES,
    **collections.INDEXES,
    **jobs.INDEXES,
    **llm.INDEXES,
    **analytics.INDEXES,
    **progress.INDEXES,
    **attempts.INDEXES,
    **interviews.INDEXES,
    **reviews.INDEXES,
}


@dataclass(frozen=True)
class QaContainer:
    """The services of the domains, on the chassis's resources."""

    resources: Resources
    sessions: SessionService
    cloner: SessionCloner
    importer: SessionImporter
    resumes: ResumeService
    shares: ShareService
    templates: TemplateService
    questions: QuestionService
    question_history: QuestionHistory
    question_search: QuestionSearch
    question_bulk: BulkService
    collections: CollectionService
    rewriting: RewritingService
    explanations: ExplanationService
    jobs: JobService
    usage: UsageService
    generation: GenerationService
    trending: TrendingService
    progress: ProgressService
    attempts: AttemptService
    drafts: DraftService
    interviews: InterviewService
    reviews: ReviewService


@asynccontextmanager
async def open_container(settings: QaSettings) -> AsyncIterator[QaContainer]:
    """Opens everything."""
    async with open_resources(settings, INDEXES) as resources:
        db = resources.mongo.db
        session_repository = sessions.SessionRepository(db)
        question_repository = questions.QuestionRepository(db)
        repositories = (session_repository, question_repository)
        job_repository = jobs.JobRepository(db)
        starter = JobStarter(resources, settings, job_repository)
        generations = GenerationService(resources, settings, session_repository, starter)
        whole = WholeSessions(resources, *repositories)
        share_repository = shares.ShareRepository(db)
        resume_repository = resumes.ResumeRepository(db)
        stores = (*repositories, share_repository, resume_repository)
        session_service = SessionService(resources, generations, *stores)
        attempt_service = AttemptService(resources, settings, question_repository, starter)
        ending = Ending(db, resources.outbox, starter)
        storage = FileStorage(settings)  # no part of the health check: résumés can wait, and it would import boto3
        yield QaContainer(
            resources=resources,
            sessions=session_service,
            cloner=SessionCloner(*repositories, whole),
            importer=SessionImporter(resources, settings, whole),
            resumes=ResumeService(resources, settings, resume_repository, storage, starter),
            shares=ShareService(resources, settings, share_repository, *repositories),
            templates=TemplateService(resources.mongo, templates.TemplateRepository(db), session_service),
            questions=QuestionService(resources, *repositories),
            question_history=QuestionHistory(resources, *repositories, questions.ChangeLog(db)),
            question_search=QuestionSearch(question_repository),
            question_bulk=BulkService(resources, *repositories),
            collections=CollectionService(resources.mongo, collections.CollectionRepository(db), question_repository),
            rewriting=RewritingService(resources, settings, *repositories, job_repository, starter),
            explanations=ExplanationService(resources, settings, *repositories, job_repository, starter),
            jobs=JobService(job_repository, JobRecords(db.jobs, resources.live), resources.live),
            usage=UsageService(settings, db, job_repository),
            generation=generations,
            trending=open_trending(resources, settings),
            progress=open_progress(resources),
            attempts=attempt_service,
            drafts=DraftService(attempts.DraftRepository(db), question_repository),
            interviews=InterviewService(resources, settings, question_repository, attempt_service, ending),
            reviews=ReviewService(resources, settings, *repositories),
        )
