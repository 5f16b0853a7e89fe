"""Requests and answers of the question routes."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from intervai_shared.models import Id, InputModel, Resource, Text, UtcTime, WireModel

Difficulty = Literal["easy", "medium", "hard"]
QuestionText = Annotated[Text, StringConstraints(min_length=1, max_length=2_000)]
Answer = Annotated[Text, StringConstraints(max_length=20_000)]
Category = Annotated[Text, StringConstraints(min_length=1, max_length=60)]
Notes = Annotated[Text, StringConstraints(max_length=10_000)]
Point = Annotated[Text, StringConstraints(min_length=1, max_length=500)]
Source = Literal["generated", "custom"]
ObjectIdText = Annotated[str, StringConstraints(pattern="^[0-9a-f]{24}$")]
Points = Annotated[list[Point], Field(max_length=20)]
#: The default of a field of a change: without a value, so that only a field that was sent is set.
LEFT_OUT: Any = Field(default_factory=lambda: None)


class Question(Resource):
    """A question with its model answer. `model` says which model made it; null for one's own. `version` counts what it
    has said: from 1, one more with each change of its content (a pin is none)."""

    session_id: Id = Field(validation_alias="session")
    text: str = Field(examples=["How does a Python generator differ from a list?"])
    answer: str
    difficulty: Difficulty
    category: str = Field(examples=["Python"])
    key_points: list[str]
    follow_ups: list[str]
    is_pinned: bool
    notes: str
    source: Source
    model: str | None = None
    version: int = 1


class NewQuestion(InputModel):
    """A question of one's own."""

    text: QuestionText
    answer: Answer = ""
    difficulty: Difficulty = "medium"
    category: Category = "General"
    key_points: Points = []
    follow_ups: Points = []
    notes: Notes = ""


class QuestionChange(InputModel):
    """What to change; fields that are left out stay as they are."""

    text: QuestionText = LEFT_OUT
    answer: Answer = LEFT_OUT
    difficulty: Difficulty = LEFT_OUT
    category: Category = LEFT_OUT
    key_points: Points = LEFT_OUT
    follow_ups: Points = LEFT_OUT
    is_pinned: bool = LEFT_OUT
    notes: Notes = LEFT_OUT


class ChangeOfQuestion(WireModel):
    """A change of what a question says. `before` and `after` hold the fields that differ; `version` is the new one."""

    version: int
    at: UtcTime
    cause: Literal["edit", "regeneration", "undo", "redo"]
    fields: list[str] = Field(examples=[["answer", "keyPoints"]])
    before: dict[str, Any]
    after: dict[str, Any]


class FoundQuestion(Question):
    """A question that a search has found. `score`: how well it fits, 0 to 100."""

    score: int


class QuestionStats(WireModel):
    """How many questions a session has, in all and of each kind."""

    total: int
    pinned: int
    by_difficulty: dict[Difficulty, int]
    by_category: dict[str, int]
    by_source: dict[Source, int]


class BulkRequest(InputModel):
    """One action on many questions; `difficulty` goes with `setDifficulty` alone."""

    ids: Annotated[list[ObjectIdText], Field(min_length=1, max_length=100)]
    action: Literal["delete", "pin", "unpin", "setDifficulty"]
    difficulty: Difficulty | None = None

    @model_validator(mode="after")
    def _fits(self) -> "BulkRequest":
        if (self.action == "setDifficulty") != (self.difficulty is not None):
            raise ValueError("`difficulty` is needed for `setDifficulty`, and only there")
        return self


class BulkItem(WireModel):
    """What became of one question. `archived`: its session is, so nothing was done."""

    id: Id
    status: Literal["done", "notFound", "archived"]


class BulkResult(WireModel):
    """What became of each question, in the order asked for."""

    items: list[BulkItem]
