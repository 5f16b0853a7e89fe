"""What goes into a file, whatever its format: the session as qa-service tells it, narrowed by the options."""

import unicodedata
from dataclasses import dataclass
from itertools import count
from typing import Any

Document = dict[str, Any]
#: Bytes of a file's name without its extension; file systems take 255 for all of it.
_STEM_BYTES = 160


@dataclass(frozen=True)
class Item:
    """One question, with empty text where the options leave something out."""

    text: str
    answer: str
    difficulty: str
    category: str
    key_points: list[str]
    follow_ups: list[str]
    is_pinned: bool
    notes: str


@dataclass(frozen=True)
class Content:
    """A session to print. `created_at` is RFC 3339."""

    title: str
    role: str
    experience: str
    topics: list[str]
    created_at: str
    items: list[Item]

    @property
    def file_stem(self) -> str:
        """A file name without its extension: letters with their marks, digits and hyphens of the title."""
        words = "".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in self.title).split()
        return "-".join(words).encode()[:_STEM_BYTES].decode(errors="ignore").strip("-") or "interview"

    def by_category(self) -> dict[str, list[tuple[int, Item]]]:
        """The questions under their topics, both in the order of the session, numbered as they are printed."""
        grouped: dict[str, list[Item]] = {}
        for item in self.items:
            grouped.setdefault(item.category, []).append(item)
        numbers = count(1)
        return {category: [(next(numbers), item) for item in items] for category, items in grouped.items()}


def content_of(answer: Document, options: Document) -> Content:
    """`answer` is qa-service's session with questions; `options` are an export's options as stored."""
    session = answer["session"]
    questions = [question for question in answer["questions"] if question["isPinned"] or not options["onlyPinned"]]
    return Content(
        title=session["title"],
        role=session["role"],
        experience=session["experience"],
        topics=session["topics"],
        created_at=session["createdAt"],
        items=[_item(question, options) for question in questions],
    )


def _item(question: dict[str, Any], options: Document) -> Item:
    answers, notes = options["includeAnswers"], options["includeNotes"]
    return Item(
        text=question["text"],
        answer=question["answer"] if answers else "",
        difficulty=question["difficulty"],
        category=question["category"],
        key_points=question["keyPoints"] if answers else [],
        follow_ups=question["followUps"],
        is_pinned=question["isPinned"],
        notes=question["notes"] if notes else "",
    )
