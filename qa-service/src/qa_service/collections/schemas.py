"""Requests and answers of the collection routes."""

from typing import Annotated

from pydantic import Field, StringConstraints

from intervai_shared.models import InputModel, Resource, Text, UtcTime, WireModel
from qa_service.questions.schemas import LEFT_OUT, BulkItem, ObjectIdText, Question

Name = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Description = Annotated[Text, StringConstraints(max_length=1_000)]


class Collection(Resource):
    """A collection. Its questions stay in their sessions; one that is deleted there is gone here too."""

    name: str = Field(examples=["Before the second round"])
    description: str
    question_count: int


class NewCollection(InputModel):
    """A collection to make; it is empty."""

    name: Name
    description: Description = ""


class CollectionChange(InputModel):
    """What to change; fields that are left out stay as they are."""

    name: Name = LEFT_OUT
    description: Description = LEFT_OUT


class CollectedQuestion(Question):
    """A question of a collection."""

    collected_at: UtcTime


class QuestionsToCollect(InputModel):
    """Questions to put into a collection."""

    ids: Annotated[list[ObjectIdText], Field(min_length=1, max_length=100)]


class Collected(WireModel):
    """What became of each question, in the order asked for: done, also if it was there already, or notFound."""

    items: list[BulkItem]
