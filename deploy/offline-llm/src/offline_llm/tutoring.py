"""Writes a question anew, and explains one, out of the bank. Equal requests, equal answers."""

import re
from typing import Any

from offline_llm.bank import Bank, normalised
from offline_llm.composer import LEVELS, Interview, compose

#: What makes of an instruction a difficulty.
_WISHES = (
    (re.compile(r"\b(harder|more (?:difficult|advanced)|tougher)\b"), 1),
    (re.compile(r"\b(easier|simpler|more basic)\b"), -1),
)
_FIELDS = ("text", "answer", "difficulty", "category", "keyPoints", "followUps")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
#: Sentences of one section.
_A_SECTION = 3
_MOST_SECTIONS = 5


def rewritten(bank: Bank, data: dict[str, Any]) -> dict[str, Any]:
    """Another question of the same category and of the wanted difficulty; none when the bank has no other."""
    question = _object(data.get("question"))
    exclude = [text for text in data.get("exclude") or [] if isinstance(text, str)]
    wanted = {
        "role": data.get("role"),
        "experience": data.get("experience"),
        "topics": [question.get("category")],
        "count": 1,
        "difficulty": data.get("difficulty") or _wished(question, data.get("instruction")),
        "exclude": [*exclude, question.get("text")],
    }
    found = compose(bank, Interview.read(wanted))
    return {"questions": [{name: each[name] for name in _FIELDS} for each in found]}


def explained(bank: Bank, data: dict[str, Any]) -> dict[str, Any]:
    """An explanation made of the model answer and its key points, with what the bank asks beside it."""
    answer, category = str(data.get("answer") or ""), str(data.get("category") or "this topic")
    points = [point for point in data.get("keyPoints") or [] if isinstance(point, str) and point]
    sentences = [sentence for sentence in _SENTENCE.split(answer) if sentence] or [f"It is about {category}."]
    pieces = [" ".join(sentences[start : start + _A_SECTION]) for start in range(0, len(sentences), _A_SECTION)]
    headings = ("The idea", "The details", "In practice", "Trade-offs", "More")
    sections = [{"heading": heading, "text": piece} for heading, piece in zip(headings, pieces, strict=False)]
    return {
        "sections": sections[:_MOST_SECTIONS],
        "example": f"Tell of a time when you met this with {category}: the situation, what you did, what came of it.",
        "commonMistakes": [f"Leaving out: {point}" for point in points[:5]] or ["Answering without an example."],
        "furtherReading": _beside(bank, category, str(data.get("text") or "")),
    }


def _wished(question: dict[str, Any], instruction: Any) -> str | None:
    """The difficulty that an instruction asks for, else that of the question."""
    level = question.get("difficulty")
    if level not in LEVELS:
        return None
    text = normalised(instruction) if isinstance(instruction, str) else ""
    step = next((step for pattern, step in _WISHES if pattern.search(text)), 0)
    return LEVELS[min(max(LEVELS.index(level) + step, 0), len(LEVELS) - 1)]


def _beside(bank: Bank, category: str, text: str) -> list[str]:
    """What else is asked on the topic."""
    topic = bank.find(category)
    others = [question["text"] for question in topic.questions if question["text"] != text] if topic else []
    return others[:3] or [f"The basics of {category}", f"How {category} is used in practice"]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
