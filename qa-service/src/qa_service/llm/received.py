"""What has come of a reply so far, whole or in pieces (https://platform.openai.com/docs/api-reference/chat-streaming)."""

import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from qa_service.llm.replies import StreamError

#: Characters that a reply may have per token that it was granted, before it is taken for a runaway.
CHARACTERS_PER_TOKEN = 16
#: Characters of white space in a row, in pieces that hold nothing else: some models never end a structured output.
MOST_BLANKS = 2_000
DONE = b"[DONE]"


@dataclass
class Received:
    """Filled by `take_event` or `take_whole`; both raise StreamError for what is no answer of the API. `first_at`: the
    monotonic second at which the first text came."""

    model: str = ""
    finish: str | None = None
    refusal: str = ""
    usage: tuple[int, int] | None = None
    is_done: bool = False
    first_at: float = 0.0
    _pieces: list[str] = field(default_factory=list)
    _length: int = 0
    _blanks: int = 0

    @classmethod
    def of(cls, content: str) -> "Received":
        """A part of a reply that somebody has noted."""
        return cls(_pieces=[content], _length=len(content))

    @property
    def content(self) -> str:
        """All text so far."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    @property
    def has_text(self) -> bool:
        return self._length > self._blanks

    def is_runaway(self, max_output_tokens: int) -> bool:
        """Whether it is useless to listen any longer."""
        return self._blanks > MOST_BLANKS or self._length > max_output_tokens * CHARACTERS_PER_TOKEN

    def take_event(self, event: bytes) -> None:
        """One event of a stream."""
        if event == DONE:
            self.is_done = True
            return
        try:
            chunk = orjson.loads(event)
            if "error" in chunk:
                raise StreamError(_code(chunk["error"]))
            self._take(chunk, "delta")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise StreamError("no event of the API") from error

    def take_whole(self, body: bytes) -> None:
        """A reply that was not streamed."""
        try:
            completion = orjson.loads(body)
            self._take(completion, "message")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise StreamError("no answer of the API") from error
        self.is_done = True

    def _take(self, chunk: dict[str, Any], part: str) -> None:
        if choices := chunk["choices"]:
            choice = choices[0]
            self.finish = choice.get("finish_reason") or self.finish
            said = choice.get(part) or {}
            if piece := said.get("content"):
                self._add(piece)
            if refusal := said.get("refusal"):
                self.refusal += refusal
        if used := chunk.get("usage"):
            self.usage = (int(used["prompt_tokens"]), int(used["completion_tokens"]))
        self.model = chunk.get("model") or self.model

    def _add(self, piece: str) -> None:
        self.first_at = self.first_at or time.perf_counter()
        self._pieces.append(piece)
        self._length += len(piece)
        self._blanks = self._blanks + len(piece) if piece.isspace() else 0


def _code(error: Any) -> str:
    """Without the provider's own words: they may repeat a part of the key."""
    return str(error.get("code") or error.get("type") or "error")[:60] if isinstance(error, dict) else "error"
