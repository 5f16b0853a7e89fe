"""What an explanation is: as the model gives it, and as it is answered."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from intervai_shared.models import Document, Id, Text, UtcTime, WireModel
from qa_service.llm.prompt import strict_object

Heading = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Body = Annotated[Text, StringConstraints(min_length=1, max_length=5_000)]
Line = Annotated[Text, StringConstraints(min_length=1, max_length=500)]


class Section(WireModel):
    """A part of an explanation."""

    heading: Heading
    text: Body


class ExplanationContent(WireModel):
    """What the model gives. `furtherReading` holds topics, not links: a model makes links up."""

    sections: Annotated[list[Section], Field(min_length=1, max_length=8)]
    example: Annotated[Text, StringConstraints(max_length=5_000)]
    common_mistakes: Annotated[list[Line], Field(max_length=10)]
    further_reading: Annotated[list[Line], Field(max_length=10)]


class Explanation(ExplanationContent):
    """The explanation of a question. `isStale`: the question says something else since; ask for a new one."""

    question_id: Id
    version: int = Field(description="The version of the question that it was made for.")
    is_stale: bool
    model: str
    created_at: UtcTime


class StartedExplanation(WireModel):
    """The job that makes it."""

    job_id: Id
    status: str


def reply_schema() -> dict[str, Any]:
    """The JSON schema of a reply, in the subset of strict structured outputs."""
    text: Document = {"type": "string"}
    section = strict_object(heading=text, text={**text, "description": "60 to 150 words."})
    return strict_object(
        sections={"type": "array", "items": section, "description": "2 to 5 parts, from the idea to the details."},
        example={**text, "description": "One worked example, with code if the question is about code."},
        commonMistakes={"type": "array", "items": text, "description": "2 to 5 mistakes that candidates make."},
        furtherReading={"type": "array", "items": text, "description": "2 to 5 topics to study next; no links."},
    )
