"""Requests and answers of the routes of shared sessions."""

from typing import Annotated

from pydantic import Field

from intervai_shared.models import Id, InputModel, UtcTime, WireModel
from qa_service.questions.schemas import Difficulty

#: Hours that a link works: a week, ninety days at most.
ExpiresInHours = Annotated[int, Field(ge=1, le=90 * 24)]
WEEK_HOURS = 7 * 24


class NewShare(InputModel):
    """What the link shows, and for how long."""

    expires_in_hours: ExpiresInHours = WEEK_HOURS
    with_notes: bool = Field(False, description="Also one's notes to the questions.")
    with_answers: bool = Field(True, description="false: questions only, to practise with.")


class Share(WireModel):
    """A link to a session. `views`: how often it was looked at, about."""

    id: Id = Field(validation_alias="_id", serialization_alias="id")
    session_id: Id = Field(validation_alias="session")
    with_notes: bool
    with_answers: bool
    views: int
    created_at: UtcTime
    expires_at: UtcTime


class NewLinkToSession(Share):
    """The link itself. `token` is shown this once; `url` is relative to where this API is."""

    url: str = Field(examples=["/api/v1/shared/sessions/yT3…"])
    token: str


class SharedQuestion(WireModel):
    """A question as a link shows it. What the link does not show is left out."""

    text: str
    difficulty: Difficulty
    category: str
    answer: str | None = None
    key_points: list[str] | None = None
    follow_ups: list[str] | None = None
    notes: str | None = None


class SharedSession(WireModel):
    """A session as a link shows it: nothing of whose it is, and neither job description nor résumé."""

    title: str
    role: str
    experience: str
    topics: list[str]
    expires_at: UtcTime
    questions: list[SharedQuestion]
