"""Requests and answers of the question routes."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from intervai_shared.models import Id, InputModel, Resource, Text

Difficulty = Literal["easy", "medium", "hard"]
QuestionText = Annotated[Text, StringConstraints(min_length=1, max_length=2_000)]
Answer = Annotated[Text, StringConstraints(max_length=20_000)]
Category = Annotated[Text, StringConstraints(min_length=1, max_length=60)]
Notes = Annotated[Text, StringConstraints(max_length=10_000)]
Point = Annotated[Text, StringConstraints(min_length=1, max_length=500)]
Points = Annotated[list[Point], Field(max_length=20)]
#: The default of a field of a change: without a value, so that only a field that was sent is set.
LEFT_OUT: Any = Field(default_factory=lambda: None)


class Question(Resource):
    """A question with its model answer. `model` says which model made it; null for one's own."""

    session_id: Id = Field(validation_alias="session")
    text: str = Field(examples=["How does a Python generator differ from a list?"])
    answer: str
    difficulty: Difficulty
    category: str = Field(examples=["Python"])
    key_points: list[str]
    follow_ups: list[str]
    is_pinned: bool
    notes: str
    source: Literal["generated", "custom"]
    model: str | None = None


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
