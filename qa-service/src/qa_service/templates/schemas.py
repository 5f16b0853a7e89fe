"""Requests and answers of the template routes."""

from typing import Annotated

from pydantic import Field, StringConstraints

from intervai_shared.models import InputModel, Resource, Text, UtcTime, WireModel
from qa_service.llm.prompt import Quality
from qa_service.questions.schemas import LEFT_OUT, Difficulty
from qa_service.sessions.schemas import Experience, JobDescription, QuestionCount, ResumeId, Role, Title, Topics

TemplateName = Annotated[Text, StringConstraints(min_length=1, max_length=120)]
#: Hours that a link works: a week, a quarter of a year at most.
ExpiresInHours = Annotated[int, Field(ge=1, le=90 * 24)]
WEEK_HOURS = 7 * 24


class NewTemplate(InputModel):
    """A recipe of sessions."""

    name: TemplateName = Field(examples=["Backend, senior"])
    role: Role = Field(examples=["Backend engineer"])
    experience: Experience = Field(examples=["senior"])
    topics: Topics = Field(examples=[["Python", "System design"]])
    job_description: JobDescription | None = None
    question_count: QuestionCount = 10
    difficulty: Difficulty | None = None
    quality: Quality | None = None


class TemplateChange(InputModel):
    """What to change; fields that are left out stay as they are, null empties those that may be empty."""

    name: TemplateName = LEFT_OUT
    role: Role = LEFT_OUT
    experience: Experience = LEFT_OUT
    topics: Topics = LEFT_OUT
    job_description: JobDescription | None = LEFT_OUT
    question_count: QuestionCount = LEFT_OUT
    difficulty: Difficulty | None = LEFT_OUT
    quality: Quality | None = LEFT_OUT


class Recipe(WireModel):
    """What a template says of its sessions: all that others see of a shared one."""

    name: str
    role: str
    experience: str
    topics: list[str]
    job_description: str | None = None
    question_count: int
    difficulty: Difficulty | None = None
    quality: Quality | None = None


class Template(Resource, Recipe):
    """One's template. `sharedUntil`: when its link stops working; null when there is none."""

    shared_until: UtcTime | None = None


class SessionFromTemplate(InputModel):
    """What is to be other than the template says."""

    title: Title | None = None
    role: Role | None = None
    experience: Experience | None = None
    topics: Topics | None = None
    job_description: JobDescription | None = None
    question_count: QuestionCount | None = None
    difficulty: Difficulty | None = None
    quality: Quality | None = None
    resume_id: ResumeId | None = None
    generate: bool = True


class TemplateSharing(InputModel):
    """For how long the link works."""

    expires_in_hours: ExpiresInHours = WEEK_HOURS


class TemplateLink(WireModel):
    """A link to a template. `token` is shown this once; `url` is relative to where this API is."""

    url: str = Field(examples=["/api/v1/shared/templates/yT3…"])
    token: str
    expires_at: UtcTime
