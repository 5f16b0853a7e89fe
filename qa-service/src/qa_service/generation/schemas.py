"""What goes to the model and what must come back; and the request of the generation route."""

from typing import Annotated, Any

from pydantic import Field

from intervai_shared.models import Id, InputModel, WireModel
from qa_service.llm.prompt import Quality
from qa_service.questions.schemas import Answer, Category, Difficulty, Points, QuestionText


class GenerationRequest(InputModel):
    """More questions for a session."""

    count: Annotated[int, Field(ge=1, le=50)] = 10
    difficulty: Difficulty | None = None
    topics: Annotated[list[Category], Field(max_length=20)] | None = Field(
        None, description="Default: the topics of the session."
    )
    quality: Quality | None = Field(None, description="`high`: the better model; default: by the difficulty.")


class StartedGeneration(WireModel):
    """The job that makes them."""

    job_id: Id
    status: str


class GeneratedQuestion(WireModel):
    """One question as the model gives it, within the limits of a stored one."""

    text: QuestionText
    answer: Answer
    difficulty: Difficulty
    category: Category
    key_points: Points
    follow_ups: Points


class GeneratedSet(WireModel):
    """The whole reply of the model."""

    questions: list[GeneratedQuestion]


def reply_schema() -> dict[str, Any]:
    """The JSON schema of a reply, in the subset that strict structured outputs accept
    (https://platform.openai.com/docs/guides/structured-outputs): all required, nothing else, no lengths."""
    text = {"type": "string"}
    texts = {"type": "array", "items": text}
    fields = {
        "text": {**text, "description": "The question, as an interviewer would ask it."},
        "answer": {**text, "description": "The model answer of a strong candidate, 60 to 200 words."},
        "difficulty": {"type": "string", "enum": ["easy", "medium", "hard"]},
        "category": {**text, "description": "The topic it belongs to."},
        "keyPoints": {**texts, "description": "3 to 5 claims that a good answer makes."},
        "followUps": {**texts, "description": "2 questions that an interviewer may go on with."},
    }
    question = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"questions": {"type": "array", "items": question}},
        "required": ["questions"],
        "additionalProperties": False,
    }
