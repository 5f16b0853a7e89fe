"""What is asked of the model. What people typed is data in it, never an instruction."""

from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from intervai_shared.models import Document

#: `standard`: the cheap model; `high`: the better one.
Quality = Literal["standard", "high"]


@dataclass(frozen=True)
class Prompt:
    """One question to the model.

    `name` also names the schema of the answer; `version` changes with every change of `system`, `schema` or the fields
    of `data`, and is stored with the reply. `data` is fenced as JSON between the lines `<tag>` and `</tag>`; `schema`
    is JSON Schema in the subset of strict structured outputs
    (https://platform.openai.com/docs/guides/structured-outputs).
    """

    name: str
    version: str
    system: str
    data: Document
    schema: Document
    tag: str = "data"
    quality: Quality = "standard"
    #: Tokens that the answer may have; also what is reserved for it.
    max_output_tokens: int = field(default=4_000)
    #: 0: the same question gets the same answer, as far as the provider can; None: the provider's default.
    temperature: float | None = None

    def messages(self) -> list[dict[str, str]]:
        """The messages of the call."""
        # A closing tag inside the data would end the fence; in JSON '<' may be written as an escape.
        fenced = orjson.dumps(self.data).decode().replace("<", "\\u003c")
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": f"<{self.tag}>\n{fenced}\n</{self.tag}>"},
        ]

    def response_format(self) -> dict[str, Any]:
        """Structured output by the schema."""
        described = {"name": self.name, "strict": True, "schema": self.schema}
        return {"type": "json_schema", "json_schema": described}


def strict_object(**fields: Document) -> Document:
    """A JSON schema of an object as strict structured outputs want it: all fields required, no others."""
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
