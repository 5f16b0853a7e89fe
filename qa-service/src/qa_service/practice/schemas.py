"""Requests and answers of the routes of attempts and drafts."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from intervai_shared.models import Id, InputModel, Resource, Text, UtcTime, WireModel
from qa_service.practice.prompt import Verdict
from qa_service.practice.rubric import Band
from qa_service.questions.schemas import Difficulty

AnswerText = Annotated[Text, StringConstraints(min_length=1, max_length=10_000)]
DraftText = Annotated[Text, StringConstraints(max_length=10_000)]
DraftVersion = Annotated[int, Field(ge=1, le=2**53)]
Status = Literal["queued", "scored", "notScored"]


class NewAttempt(InputModel):
    """An answer to be scored. It takes the place of the draft; `draftVersion` is the last one that was saved or is
    under way, so that a save that comes late does not bring the draft back."""

    answer: AnswerText
    draft_version: DraftVersion | None = None


class StartedAttempt(WireModel):
    """The attempt, and the job that scores it; follow it under /api/v1/jobs/{jobId}."""

    id: Id
    job_id: Id
    status: Status


class Span(WireModel):
    """A piece of the answer: `[start, end)` in Unicode code points."""

    start: int
    end: int


class PointResult(WireModel):
    """How a key point came out, and the piece of the answer that counts for it."""

    text: str
    verdict: Verdict
    span: Span | None


class QualityResult(WireModel):
    """How good the answer is in one respect, 0 to 4, and the piece of it that shows it."""

    level: int
    span: Span | None


class Qualities(WireModel):
    """What is said is true; has reasons; is clear."""

    correctness: QualityResult
    depth: QualityResult
    structure: QualityResult


class Provenance(WireModel):
    """Where a score comes from. `by`: a model's judgement, an earlier one of the same answer, or a rule that asks no
    model. `model` is null for a rule."""

    by: Literal["model", "reuse", "rule"]
    model: str | None
    prompt_version: str
    rubric_version: str
    reused_from: Id | None = None


class Feedback(WireModel):
    """`good` and `missing`: key points. `comment` and `betterAnswer` are the model's words; when none was asked, null
    and the question's own answer."""

    good: list[str]
    missing: list[str]
    comment: str | None
    better_answer: str | None


class AskedQuestion(WireModel):
    """The question as it was when it was answered."""

    text: str
    category: str
    difficulty: Difficulty


class Attempt(Resource):
    """An answer and its score of 0 to 100, null until it is scored. `reason`: why it is not scored, or why it is worth
    nothing. `ignoredSpans`: pieces that speak to the grader, and so do not count. `isBest`: the best of its
    question."""

    question_id: Id = Field(validation_alias="question")
    session_id: Id = Field(validation_alias="session")
    interview_id: Id | None = Field(None, validation_alias="interview")
    job_id: Id | None = Field(None, validation_alias="job")
    asked: AskedQuestion
    answer: str
    status: Status
    reason: str | None = None
    score: int | None = None
    band: Band | None = None
    is_best: bool = False
    points: list[PointResult] | None = None
    qualities: Qualities | None = None
    feedback: Feedback | None = None
    ignored_spans: list[Span] = []
    provenance: Provenance | None = None
    scored_at: UtcTime | None = None


class PracticeState(WireModel):
    """How a person stands with a question."""

    attempts: int = 0
    best_score: int | None = None
    last_score: int | None = None
    best_attempt: Id | None = None


class AttemptPage(WireModel):
    """Attempts at a question, the newest first, and how it stands."""

    items: list[Attempt]
    next_cursor: str | None = None
    practice: PracticeState


class DraftChange(InputModel):
    """What was typed so far. `version` grows with each save of the client; without one the save counts as the
    newest."""

    answer: DraftText
    version: DraftVersion | None = None


class Draft(WireModel):
    """An answer that was not handed in yet."""

    question_id: Id = Field(validation_alias="_id")
    answer: str
    version: int
    created_at: UtcTime
    updated_at: UtcTime
