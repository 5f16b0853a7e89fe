"""Requests and answers of the routes of mock interviews."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from intervai_shared.models import Id, InputModel, Resource, UtcTime, WireModel
from qa_service.practice.rubric import Band
from qa_service.practice.schemas import AnswerText
from qa_service.practice.schemas import Status as AttemptStatus
from qa_service.questions.schemas import Category, Difficulty

Status = Literal["running", "completed"]
Ended = Literal["allAnswered", "noMoreQuestions", "timeUp", "byPerson"]


class InterviewStart(InputModel):
    """How the interview goes. `totalSeconds`: default, the time of all its questions."""

    question_count: Annotated[int, Field(ge=1, le=50)] = 8
    seconds_per_question: Annotated[int, Field(ge=15, le=3_600)] | None = None
    total_seconds: Annotated[int, Field(ge=30, le=14_400)] | None = None
    topics: Annotated[list[Category], Field(max_length=20)] | None = Field(
        None, description="Categories of the session's questions; default: all."
    )


class InterviewAnswer(InputModel):
    """The answer to the question that is asked now, or `skip`."""

    question_id: Annotated[str, Field(pattern="^[0-9a-f]{24}$")]
    answer: AnswerText | None = None
    skip: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> "InterviewAnswer":
        if self.skip == (self.answer is not None):
            raise ValueError("give either an answer or skip: true")
        return self


class AskedNow(WireModel):
    """The question that waits for an answer. It shows neither the model answer nor the key points."""

    question_id: Id
    number: int
    text: str
    category: str
    difficulty: Difficulty
    asked_at: UtcTime
    answer_by: UtcTime


class GivenAnswer(WireModel):
    """A question that was asked, and what became of it. `late`: after its time. `score`: null until there is one."""

    question_id: Id
    text: str
    category: str
    difficulty: Difficulty
    seconds: float | None = None
    skipped: bool = False
    late: bool = False
    attempt_id: Id | None = None
    status: AttemptStatus | None = None
    score: int | None = None
    band: Band | None = None


class Share(WireModel):
    """What the answers of one topic or difficulty scored on the average; null when none was scored."""

    name: str
    asked: int
    scored: int
    score: int | None


class MissedPoint(WireModel):
    """A key point that an answer did not make."""

    category: str
    question_id: Id
    text: str


class StudyNext(WireModel):
    """A question to look at again, the weakest first. `reason`: wrong or weak answer, skipped, not reached in time."""

    question_id: Id
    category: str
    text: str
    score: int | None
    reason: Literal["low", "skipped", "unanswered"]


class Advice(WireModel):
    """A model's words on the interview. `model` and `promptVersion` say where they come from."""

    summary: str
    strengths: list[str]
    gaps: list[str]
    study_next: list[str]
    model: str
    prompt_version: str


class Report(WireModel):
    """Computed from the scores; only `advice` is a model's, null when no model answered or has not yet.

    `usedSeconds`: from the start to the end. `meanSeconds`: of an answer."""

    score: int | None
    band: Band | None
    asked: int
    answered: int
    scored: int
    skipped: int
    late: int
    used_seconds: float
    mean_seconds: float | None
    topics: list[Share]
    difficulties: list[Share]
    strengths: list[str]
    gaps: list[str]
    missed: list[MissedPoint]
    study_next: list[StudyNext]
    advice: Advice | None = None


class Interview(Resource):
    """A mock interview. `question` is the one to answer now; `report` comes with its end."""

    session_id: Id
    status: Status
    ended: Ended | None = None
    question_count: int
    seconds_per_question: int
    total_seconds: int
    topics: list[str] | None = None
    ends_at: UtcTime
    finished_at: UtcTime | None = None
    remaining_seconds: float
    question: AskedNow | None = None
    answers: list[GivenAnswer]
    report_job_id: Id | None = None
    report: Report | None = None


class InterviewSummary(Resource):
    """A mock interview in a list."""

    session_id: Id = Field(validation_alias="session")
    status: Status
    ended: Ended | None = None
    question_count: int
    finished_at: UtcTime | None = None
    score: int | None = None
