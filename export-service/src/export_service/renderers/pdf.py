"""PDF by typst (https://typst.app/docs). The content goes in as data through `sys.inputs`: none of it is typst code."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import orjson

from export_service.renderers.content import Content, Item
from export_service.renderers.fonts import fonts_for
from export_service.renderers.labels import LABELS, Labels, date_of
from export_service.renderers.prose import Block, Code, Line, Span, one_line, read_blocks, read_heading, read_line

_TEMPLATE = Path(__file__).with_name("interview.typ").read_bytes()
_PAPERS = {"a4": "a4", "letter": "us-letter"}
#: A word of so many letters may be wider than a line.
_LONG = 30
#: Between characters of these a line may end anyway.
_UNBROKEN = re.compile(rf"[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]{{{_LONG},}}")
#: What begins a line that was typed as an item of a list.
_MARKER = re.compile(r"(?:[-*+•\u2013]|\d{1,3}[.)])\s+")
#: Widths of the running title and of a line of the contents, in columns of a terminal.
_RUNNING, _ENTRY = 100, 120
_LEVELS = ("easy", "medium", "hard")


def render_pdf(content: Content) -> bytes:
    """A cover, the contents, the questions by topic, on the paper and with our words in the language of the layout.
    The same content gives the same bytes: the fonts come with the packages, the document's date is the session's.

    Raises:
        typst.TypstError: the template does not compile.
    """
    import typst  # noqa: PLC0415  only the process that renders loads it

    text = orjson.dumps(_data(content)).decode()
    fonts = fonts_for(text, content.layout.locale)
    families = orjson.dumps({"text": fonts.text, "code": fonts.code}).decode()
    inputs = {"data": f'{{"fonts": {families}, {fonts.shown(text)[1:]}', "title": one_line(content.title)}
    created = datetime.fromisoformat(content.created_at).astimezone(UTC)
    timestamp = int(created.timestamp())
    # Tags would double the file and cost an eighth of the time.
    file = typst.compile(_TEMPLATE, font_paths=fonts.book, sys_inputs=inputs, timestamp=timestamp, pdf_tags=False)
    return bytes(file)


def _data(content: Content) -> dict[str, Any]:
    labels = LABELS[content.layout.locale]
    return {
        "paper": _PAPERS[content.layout.paper],
        "locale": content.layout.locale,
        "labels": _labels(labels),
        "running": _shortened(one_line(content.title), _RUNNING),
        **_cover(content, labels),
        "numberWidth": 0.9 + 0.5 * len(str(len(content.items))),
        "groups": [
            {"category": _text(one_line(category)), "items": [_item(number, item, labels) for number, item in items]}
            for category, items in content.by_category().items()
        ],
    }


def _labels(labels: Labels) -> dict[str, str]:
    return {
        "contents": labels.contents,
        "topics": labels.topics,
        "keyPoints": labels.key_points,
        "followUps": labels.follow_ups,
        "notes": labels.notes,
        "pinned": labels.pinned,
        "noQuestions": labels.no_questions,
    }


def _cover(content: Content, labels: Labels) -> dict[str, Any]:
    """Lengths in points and millimetres. A title of 200 letters and twenty topics shall leave the cover a page."""
    title = one_line(content.title)
    is_short = _width(title) <= 60
    return {
        "title": _text(title),
        "titleSize": 32 if is_short else 22,
        "coverSpace": 58 if is_short and len(content.topics) <= 8 else 20,
        "role": _text(one_line(content.role)),
        "experience": _text(one_line(content.experience)),
        "topics": [_text(one_line(topic)) for topic in content.topics],
        "date": date_of(content.created_at, content.layout.locale),
        "figures": _figures(content.items, labels),
    }


def _figures(items: Sequence[Item], labels: Labels) -> list[dict[str, str]]:
    """How many questions there are, of each difficulty, and how many are pinned."""
    count = len(items)
    pinned = sum(item.is_pinned for item in items)
    levels = Counter(item.difficulty for item in items)
    figures = [(count, labels.questions[count != 1], ""), *((levels[key], labels.level(key), key) for key in _LEVELS)]
    if pinned:
        figures.append((pinned, f"★ {labels.pinned}", ""))
    shown = [figure for figure in figures if figure[0] or figure is figures[0]]
    return [{"number": str(number), "words": words, "level": level} for number, words, level in shown]


def _item(number: int, item: Item, labels: Labels) -> dict[str, Any]:
    heading, rest = read_heading(item.text)
    return {
        "number": number,
        "heading": _line(heading),
        "short": _text(_shortened("".join(span.text for span in heading), _ENTRY)),
        "difficulty": _text(one_line(labels.level(item.difficulty))),
        "level": item.difficulty,
        "pinned": item.is_pinned,
        "answer": _blocks([*rest, *read_blocks(item.answer)]),
        "keyPoints": [_line(read_line(point)) for point in item.key_points],
        "followUps": [_line(read_line(question)) for question in item.follow_ups],
        "notes": _blocks(read_blocks(item.notes)),
    }


def _blocks(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    return [
        {"code": block.text.expandtabs(4), "breaks": _is_long(block.text)}
        if isinstance(block, Code)
        else {"lines": [(_indent(line), _line(line)) for line in block.lines]}
        for block in blocks
    ]


def _indent(line: Line) -> float:
    """An item of a list hangs by its marker, so many times the size of a letter."""
    marker = None if line[0].is_code else _MARKER.match(line[0].text)
    if marker is None:
        return 0
    return 0.6 if len(marker[0]) < 3 else 1.1


def _line(line: Line) -> str | list[Any]:
    """A text if that is all it is, else the pieces: texts, `{code, breaks}`, `{long}`."""
    if len(line) == 1 and not line[0].is_code:
        return _text(line[0].text)
    return [piece for span in line for piece in _pieces(span)]


def _pieces(span: Span) -> list[Any]:
    if not span.is_code:
        return _split(span.text)
    is_long = _is_long(span.text)
    return [{"code": _split(span.text) if is_long else span.text, "breaks": is_long}]


def _text(text: str) -> str | list[Any]:
    return _split(text) if _is_long(text) else text


def _split(text: str) -> list[Any]:
    """The long words apart from the rest."""
    if not _is_long(text):
        return [text]
    pieces: list[Any] = []
    end = 0
    for word in _UNBROKEN.finditer(text):
        pieces += [text[end : word.start()], {"long": word[0]}]
        end = word.end()
    return [piece for piece in [*pieces, text[end:]] if piece]


def _is_long(text: str) -> bool:
    return len(text) >= _LONG and max(map(len, text.split()), default=0) >= _LONG


def _width(text: str) -> int:
    """In columns of a terminal: letters of Chinese, Japanese and Korean take two."""
    return len(text) if text.isascii() else sum(1 + (east_asian_width(char) in "WF") for char in text)


def _shortened(text: str, width: int) -> str:
    """At most so wide, with an ellipsis for what is left out."""
    if _width(text) <= width:
        return text
    kept = text[:width]
    while _width(kept) >= width:
        kept = kept[: -max(1, (_width(kept) - width) // 2)]
    return kept.rstrip() + "…"
