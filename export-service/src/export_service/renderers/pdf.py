"""PDF by typst (https://typst.app/docs). The content goes in as data through `sys.inputs`: none of it is typst code."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from export_service.renderers.content import Content, Item
from export_service.renderers.prose import Block, Code, Line, printable, read_blocks, read_heading, read_line

if TYPE_CHECKING:
    import typst

_TEMPLATE = Path(__file__).with_name("interview.typ").read_bytes()


def render_pdf(content: Content) -> bytes:
    """A4 pages. The same content gives the same bytes (with the same fonts): the document's date is the session's.

    Raises:
        typst.TypstError: the template does not compile.
    """
    import typst  # noqa: PLC0415  only the process that renders loads it

    created = datetime.fromisoformat(content.created_at).astimezone(UTC)
    data = {
        "title": _plain(content.title),
        "role": _plain(content.role),
        "experience": _plain(content.experience),
        "topics": [_plain(topic) for topic in content.topics],
        "date": f"{created:%-d %B %Y}",
        "groups": _groups(content),
    }
    inputs = {"data": orjson.dumps(data).decode()}
    return bytes(typst.compile(_TEMPLATE, font_paths=_fonts(), sys_inputs=inputs, timestamp=int(created.timestamp())))


@cache
def _fonts() -> "typst.Fonts":
    """typst's own fonts and the machine's, looked for once in a process."""
    import typst  # noqa: PLC0415

    return typst.Fonts()


def _groups(content: Content) -> list[dict[str, Any]]:
    return [
        {"category": _plain(category), "items": [_item(number, item) for number, item in items]}
        for category, items in content.by_category().items()
    ]


def _item(number: int, item: Item) -> dict[str, Any]:
    heading, rest = read_heading(item.text)
    return {
        "number": number,
        "heading": _line(heading),
        "difficulty": _plain(item.difficulty),
        "pinned": item.is_pinned,
        "answer": _blocks([*rest, *read_blocks(item.answer)]),
        "keyPoints": [_line(read_line(point)) for point in item.key_points],
        "followUps": [_line(read_line(question)) for question in item.follow_ups],
        "notes": _blocks(read_blocks(item.notes)),
    }


def _plain(text: str) -> str:
    return " ".join(printable(text).split())


def _line(line: Line) -> list[dict[str, Any]]:
    return [{"text": span.text, "code": span.is_code} for span in line]


def _blocks(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    return [
        {"code": block.text} if isinstance(block, Code) else {"lines": [_line(line) for line in block.lines]}
        for block in blocks
    ]
