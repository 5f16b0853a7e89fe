"""Requests and answers of the session routes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from intervai_shared.models import Id, InputModel, Resource, Text, UtcTime, WireModel
from qa_service.llm.prompt import Quality
from qa_service.questions.schemas import LEFT_OUT, Difficulty, Question

Status = Literal["pending", "in-progress", "completed", "cancelled"]
Role = Annotated[Text, StringConstraints(min_length=1, max_length=120)]
Experience = Annotated[Text, StringConstraints(min_length=1, max_length=60)]
Topic = Annotated[Text, StringConstraints(min_length=1, max_length=60)]
Topics = Annotated[list[Topic], Field(max_length=20)]
Title = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
JobDescription = Annotated[Text, StringConstraints(max_length=20_000)]
QuestionCount = Annotated[int, Field(ge=1, le=50)]
ResumeId = Annotated[str, Field(pattern="^[0-9a-f]{24}$")]


class SessionStart(InputModel):
    """The interview that a person faces."""

    role: Role = Field(examples=["Backend engineer"])
    experience: Experience = Field(examples=["senior"])
    topics: Topics = Field(examples=[["Python", "System design"]])
    title: Title | None = None
    job_description: JobDescription | None = None
    resume_id: ResumeId | None = Field(None, description="A résumé of one's own that tailors the questions.")
    question_count: QuestionCount = 10
    difficulty: Difficulty | None = Field(None, description="Of the first questions; null: mixed.")
    quality: Quality | None = Field(None, description="`high`: the better model makes the first questions.")
    generate: bool = Field(True, description="false: only make the session, without questions.")


class SessionChange(InputModel):
    """What to change; fields that are left out stay as they are, null empties job description and résumé."""

    title: Title = LEFT_OUT
    status: Status = LEFT_OUT
    role: Role = LEFT_OUT
    experience: Experience = LEFT_OUT
    topics: Topics = LEFT_OUT
    job_description: JobDescription | None = LEFT_OUT
    resume_id: ResumeId | None = LEFT_OUT


class SessionClone(InputModel):
    """What the copy is to be like. Notes are copied unless `withNotes` is false."""

    title: Title | None = None
    only_pinned: bool = False
    with_notes: bool = True


class Generation(WireModel):
    """The job that makes questions; follow it under /api/v1/jobs/{jobId}."""

    job_id: Id
    status: str


class Session(Resource):
    """An interview session. `questionCount` is how many questions it has now; while `archivedAt` is set, nothing of it
    can be changed; `clonedFrom` is the session that it is a copy of."""

    title: str
    role: str
    experience: str
    topics: list[str]
    job_description: str | None = None
    resume_id: Id | None = None
    status: Status
    question_count: int
    archived_at: UtcTime | None = None
    cloned_from: Id | None = None


class StartedSession(Session):
    """A new session, with the first generation unless `generate` was false."""

    generation: Generation | None = None


class SessionWithQuestions(WireModel):
    """All of a session, for other services."""

    session: Session
    questions: list[Question]
