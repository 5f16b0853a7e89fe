"""Markdown (CommonMark 0.31). What people typed is text: it can make no heading, link, image or HTML of its own."""

import re

from export_service.renderers.content import Content, Item

#: Characters that CommonMark gives a meaning inside a line.
_INLINE = re.compile(r"([\\`*_\[\]<>&|~#])")
#: What makes a block when it begins a line.
_BLOCK = re.compile(r"^(\s*)([-+=]|\d+[.)])", re.MULTILINE)


def render_markdown(content: Content) -> bytes:
    """UTF-8 text with a heading a topic and a question."""
    parts = [f"# {_line(content.title)}", f"{_line(content.role)}, {_line(content.experience)}"]
    if content.topics:
        parts.append("Topics: " + ", ".join(_line(topic) for topic in content.topics))
    number = 0
    for category, items in content.by_category().items():
        parts.append(f"## {_line(category)}")
        for item in items:
            number += 1
            parts.extend(_question(number, item))
    return ("\n\n".join(parts) + "\n").encode()


def _question(number: int, item: Item) -> list[str]:
    pin = "📌 " if item.is_pinned else ""
    parts = [f"### {number}. {pin}{_line(item.text)}", f"*{item.difficulty}*"]
    if item.answer:
        parts.append(_block(item.answer))
    if item.key_points:
        parts.append("**Key points**\n\n" + _list(item.key_points))
    if item.follow_ups:
        parts.append("**Follow-ups**\n\n" + _list(item.follow_ups))
    if item.notes:
        parts.append("**My notes**\n\n" + _block(item.notes))
    return parts


def _list(lines: list[str]) -> str:
    return "\n".join(f"- {_line(line)}" for line in lines)


def _line(text: str) -> str:
    """One line of plain text."""
    return _block(" ".join(text.split()))


def _block(text: str) -> str:
    """Plain text with its line breaks; indentation would make code of it, so it goes."""
    escaped = _INLINE.sub(r"\\\1", text)
    lines = [line.strip() for line in escaped.splitlines()]
    return _BLOCK.sub(_escaped_marker, "\n".join(lines))


def _escaped_marker(match: re.Match[str]) -> str:
    indent, marker = match.groups()
    return f"{indent}{marker[:-1]}\\{marker[-1]}"
