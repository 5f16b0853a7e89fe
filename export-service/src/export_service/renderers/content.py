"""What goes into a file, whatever its format: the session as qa-service tells it, narrowed by the options."""

import unicodedata
from dataclasses import dataclass
from itertools import count
from typing import Any

Document = dict[str, Any]
#: Bytes of a file's name without its extension; file systems take 255 for all of it.
_STEM_BYTES = 160


@dataclass(frozen=True)
class Layout:
    """How the file is to look. Each format takes what means something to it: `paper` (`a4`, `letter`) and `locale` PDF
    and DOCX, `locale` Markdown too, `bom` (begin with a byte order mark, for old spreadsheets) CSV."""

    paper: str = "a4"
    locale: str = "en"
    bom: bool = False


@dataclass(frozen=True)
class Item:
    """One question, with empty text where the options leave something out. `id`: 24 hex digits, always the same;
    `updated_at`: RFC 3339, empty when it is not known."""

    id: str
    text: str
    answer: str
    difficulty: str
    category: str
    key_points: list[str]
    follow_ups: list[str]
    is_pinned: bool
    notes: str
    updated_at: str = ""


@dataclass(frozen=True)
class Content:
    """A session to print. `id`: 24 hex digits, always the same; `created_at` is RFC 3339."""

    id: str
    title: str
    role: str
    experience: str
    topics: list[str]
    created_at: str
    items: list[Item]
    layout: Layout = Layout()

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
    return Content(
        id=session["id"],
        title=session["title"],
        role=session["role"],
        experience=session["experience"],
        topics=session["topics"],
        created_at=session["createdAt"],
        items=[_item(question, options) for question in answer["questions"] if _is_wanted(question, options)],
        layout=Layout(options.get("paper", "a4"), options.get("locale", "en"), options.get("bom", False)),
    )


def _is_wanted(question: Document, options: Document) -> bool:
    """Options of exports from before there was a choice of difficulties have none."""
    if options["onlyPinned"] and not question["isPinned"]:
        return False
    return question["difficulty"] in (options.get("difficulties") or [question["difficulty"]])


def _item(question: dict[str, Any], options: Document) -> Item:
    answers, notes = options["includeAnswers"], options["includeNotes"]
    return Item(
        id=question["id"],
        text=question["text"],
        answer=question["answer"] if answers else "",
        difficulty=question["difficulty"],
        category=question["category"],
        key_points=question["keyPoints"] if answers else [],
        follow_ups=question["followUps"],
        is_pinned=question["isPinned"],
        notes=question["notes"] if notes else "",
        updated_at=question.get("updatedAt", ""),
    )
