"""The API of qa-service."""

from fastapi import FastAPI

from intervai_shared.app import create_service_app
from intervai_shared.http.personal_data import personal_data_router
from intervai_shared.settings import load_settings
from qa_service.analytics import endpoints as analytics
from qa_service.collections import endpoints as collections
from qa_service.container import open_container
from qa_service.explanations import endpoints as explanations
from qa_service.generation import endpoints as generation
from qa_service.jobs import endpoints as jobs
from qa_service.llm import endpoints as usage
from qa_service.mock_interviews import endpoints as interviews
from qa_service.practice import endpoints as practice
from qa_service.privacy.holdings import HOLDINGS
from qa_service.questions import endpoints as questions
from qa_service.resumes import endpoints as resumes
from qa_service.reviews import endpoints as reviews
from qa_service.rewriting import endpoints as rewriting
from qa_service.sessions import endpoints as sessions
from qa_service.settings import QaSettings
from qa_service.shares import endpoints as shares
from qa_service.templates import endpoints as templates

PUBLIC = frozenset({"/api/v1/analytics/trending"}) | shares.PUBLIC


def create_app() -> FastAPI:
    """Reads the settings from the environment."""
    of_questions = [questions, collections, rewriting, explanations]
    domains = [
        sessions,
        templates,
        shares,
        resumes,
        *of_questions,
        generation,
        jobs,
        usage,
        practice,
        interviews,
        reviews,
        analytics,
    ]
    routers = [domain.router for domain in domains] + [
        sessions.internal,
        reviews.internal,
        personal_data_router(HOLDINGS),
    ]
    settings = load_settings(QaSettings)
    body_bytes = {sessions.IMPORT_PATH: settings.import_max_bytes}
    return create_service_app(settings, open_container, routers, public=PUBLIC, body_bytes=body_bytes)
