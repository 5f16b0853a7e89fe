"""Markdown (CommonMark 0.31). What people typed is text: it can make no heading, link, image or HTML of its own. Only
code comes out as code."""

import re
from collections.abc import Sequence

from export_service.renderers.content import Content, Item
from export_service.renderers.labels import LABELS, Labels
from export_service.renderers.prose import Block, Code, Line, Span, one_line, read_blocks, read_heading, read_line

#: Characters that CommonMark, or a common extension of it (tables, mathematics), gives a meaning inside a line.
_INLINE = re.compile(r"([\\`*_\[\]<>&|~#$])")
#: What makes a block when it begins a line.
_MARKER = re.compile(r"[-+=:]|\d+(?=[.)])")
_BACKTICKS = re.compile(r"`+")


def render_markdown(content: Content) -> bytes:
    """UTF-8 text with a heading a topic and a question."""
    labels = LABELS[content.layout.locale]
    parts = [f"# {_plain(content.title)}", f"{_plain(content.role)}, {_plain(content.experience)}"]
    if content.topics:
        parts.append(f"{labels.topics}: " + ", ".join(_plain(topic) for topic in content.topics))
    for category, items in content.by_category().items():
        parts.append(f"## {_plain(category)}")
        for number, item in items:
            parts.extend(_question(number, item, labels))
    return ("\n\n".join(parts) + "\n").encode()


def _question(number: int, item: Item, labels: Labels) -> list[str]:
    pin = "📌 " if item.is_pinned else ""
    heading, rest = read_heading(item.text)
    parts = [f"### {number}. {pin}{_line(heading)}".rstrip(), f"*{_plain(labels.level(item.difficulty))}*"]
    parts += _blocks([*rest, *read_blocks(item.answer)])
    if item.key_points:
        parts.append(f"**{labels.key_points}**\n\n" + _list(item.key_points))
    if item.follow_ups:
        parts.append(f"**{labels.follow_ups}**\n\n" + _list(item.follow_ups))
    if item.notes:
        parts += [f"**{labels.notes}**", *_blocks(read_blocks(item.notes))]
    return parts


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_line(read_line(line))}" for line in lines)


def _plain(text: str) -> str:
    """One line of text in which backticks are backticks."""
    return _line([Span(one_line(text))])


def _blocks(blocks: Sequence[Block]) -> list[str]:
    return [_code(block) if isinstance(block, Code) else _paragraph(block.lines) for block in blocks]


def _paragraph(lines: Sequence[Line]) -> str:
    """A backslash at the end of a line is a line break."""
    return "\\\n".join(_line(line) for line in lines)


def _line(line: Line) -> str:
    text = "".join(_span(span) for span in line)
    if marker := _MARKER.match(text):
        end = marker.end() if marker[0].isdigit() else 0
        return f"{text[:end]}\\{text[end:]}"
    return text


def _span(span: Span) -> str:
    if not span.is_code:
        return _INLINE.sub(r"\\\1", span.text)
    fence = "`" * (_longest_run(span.text) + 1)
    # The spaces go away again when it is read (CommonMark, 'Code spans').
    edge = " " if span.text[0] in "` " or span.text[-1] in "` " else ""
    return f"{fence}{edge}{span.text}{edge}{fence}"


def _code(block: Code) -> str:
    fence = "`" * max(3, _longest_run(block.text) + 1)
    return f"{fence}{block.language}\n{block.text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
