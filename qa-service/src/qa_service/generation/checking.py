"""What is taken of a reply: questions in the language that was asked in, that give nothing of our instructions away."""

import json
import re
import unicodedata
from collections import Counter

from prometheus_client import Counter as Metric

from intervai_shared.models import Document
from qa_service.generation.prompt import SYSTEM, TAG
from qa_service.generation.reading import QuestionReader, read_question
from qa_service.generation.schemas import GeneratedQuestion

REFUSED = Metric("intervai_generated_questions_refused_total", "Questions of the model that were not taken", ["reason"])
#: So many words of our instructions in a row are no chance.
_LEAKED_WORDS = 8
#: A script with this share of the letters belongs to the language.
_SHARE = 0.2
_WORDS = re.compile(r"\w+")
_NUMBERING = re.compile(r"^(?:#{1,6}\s+|\*\*|(?:question|q)\s*\d{1,3}\s*[.:)]\s*|\d{1,2}[.)]\s+)+", re.IGNORECASE)


class ReplyCheck:
    """The check of the replies to one interview."""

    def __init__(self, interview: Document) -> None:
        self._scripts = _scripts(" ".join([interview["role"], *interview["topics"]]))

    def read(self, piece: str) -> Document | None:
        """A question, tidied, by its names on the wire; None, and counted, when it is not to be taken."""
        question = read_question(piece)
        reason = "schema" if question is None else self._wrong(question)
        if question is None or reason:
            REFUSED.labels(reason).inc()
            return None
        content = question.model_dump(by_alias=True)
        return {**content, "text": tidied(content["text"])}

    def whole(self, content: str) -> None:
        """Raises ValueError when a reply is of no use: no JSON of the schema, or no question of it can be taken."""
        found = json.loads(content)
        questions = found.get("questions") if isinstance(found, dict) else None
        if not isinstance(questions, list):
            raise ValueError("no list of questions")  # noqa: TRY004  as the door to the model wants it
        read = [read_question(piece) for piece in QuestionReader().feed(content)]
        if questions and not any(question and not self._wrong(question) for question in read):
            raise ValueError("no question that can be taken")

    def _wrong(self, question: GeneratedQuestion) -> str:
        """Why it is not to be taken; empty when it is."""
        said = f"{question.text}\n{question.answer}\n{' '.join(question.key_points)}"
        if leaks(said):
            return "leak"
        if question.text and not _speaks(question.text, self._scripts):
            return "language"
        return ""


def leaks(said: str) -> bool:
    """Whether a text holds a piece of our instructions, or a tag that fences what people typed."""
    if f"<{TAG}>" in said or f"</{TAG}>" in said:
        return True
    words = _WORDS.findall(said.casefold())
    runs = (" ".join(words[start : start + _LEAKED_WORDS]) for start in range(len(words) - _LEAKED_WORDS + 1))
    return not _RUNS.isdisjoint(runs)


def tidied(text: str) -> str:
    """Without a number, a heading sign or stars around it: a question is no list of them."""
    shorter = _NUMBERING.sub("", text).removesuffix("**").strip()
    return shorter or text


def _runs(text: str) -> frozenset[str]:
    words = _WORDS.findall(text.casefold())
    return frozenset(" ".join(words[start : start + _LEAKED_WORDS]) for start in range(len(words) - _LEAKED_WORDS + 1))


_RUNS = _runs(SYSTEM)


def _scripts(text: str) -> frozenset[str]:
    """The scripts that a text is written in, as the first word of the names of its letters."""
    counts = Counter(_script(char) for char in text if char.isalpha())
    total = sum(counts.values())
    return frozenset(script for script, count in counts.items() if count >= _SHARE * total)


def _script(char: str) -> str:
    name = unicodedata.name(char, "").partition(" ")[0]
    return "CJK" if name in {"HIRAGANA", "KATAKANA", "HANGUL", "CJK"} else name


def _speaks(text: str, scripts: frozenset[str]) -> bool:
    """Names like `Python` stand in any language; so only what holds nothing of the asked script is of another one."""
    return not scripts or not (found := _scripts(text)) or not found.isdisjoint(scripts)
