"""A session as export-service writes it in JSON: docs/schemas/session-export-1.schema.json."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from intervai_shared.models import InputModel, UtcTime
from qa_service.questions.schemas import NewQuestion, ObjectIdText
from qa_service.sessions.schemas import Experience, Role, Title, Topics

#: More would make the transaction long.
MOST_QUESTIONS = 2_000
#: An object has not half as many. One with thousands would be answered with a message for each.
_MOST_FIELDS = 20


class _ImportModel(InputModel):
    @model_validator(mode="before")
    @classmethod
    def _is_no_heap(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > _MOST_FIELDS:
            raise ValueError("has far more fields than there are")
        return value


class ImportedQuestion(_ImportModel, NewQuestion):
    """A question with what its owner has done with it. `id` is that of the exported one; the new one gets its own."""

    id: ObjectIdText | None = None
    is_pinned: bool = False


class ImportedInterview(_ImportModel):
    """What describes the interview. `id` and `createdAt` are those of the exported session; the new one has its own."""

    id: ObjectIdText | None = None
    title: Title = Field(examples=["Backend engineer (senior)"])
    role: Role = Field(examples=["Backend engineer"])
    experience: Experience = Field(examples=["senior"])
    topics: Topics = Field(examples=[["Python", "System design"]])
    created_at: UtcTime | None = None


class SessionImport(_ImportModel):
    """A whole file of the format `json`. Of its questions the first that is wrong is told, with all that is wrong of
    it."""

    schema_: Literal["urn:intervai:session-export:1"] = Field(alias="schema")
    session: ImportedInterview
    questions: Annotated[list[ImportedQuestion], Field(max_length=MOST_QUESTIONS, fail_fast=True)]
