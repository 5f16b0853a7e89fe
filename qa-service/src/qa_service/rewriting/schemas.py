"""The request of the rewriting route."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from intervai_shared.models import InputModel, Text
from qa_service.questions.schemas import Difficulty


class RewritingRequest(InputModel):
    """How the question is to be written anew. Without an instruction it becomes another question."""

    instruction: Annotated[Text, StringConstraints(min_length=1, max_length=500)] | None = None
    difficulty: Difficulty | None = None
    quality: Literal["standard", "high"] = "standard"
