"""Anki packages (https://docs.ankiweb.net/exporting.html, version 11 of the collection) by genanki. The fields of a
note are HTML: what people typed is escaped, and neither sound, LaTeX, MathJax nor a cloze comes of it.

A note is known by its question's id: who imports a session again gets changed cards, not more of them.
"""

import hashlib
import io
import re
import sqlite3
import zipfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

from export_service.renderers.content import Content, Item
from export_service.renderers.prose import Block, Code, Line, printable, read_blocks, read_line

if TYPE_CHECKING:
    import genanki

#: Anki knows the note type by this for ever; new fields or another order of them need another number.
MODEL_ID = 1_782_043_915
FIELDS = ("Question", "Answer", "Key points", "Follow-ups", "Notes", "Topic")
#: When the note type was last changed, in seconds since 1970: Anki takes the newer one.
_MODEL_CHANGED = 1_764_288_000
#: MathJax lets alone what is in this class (https://docs.mathjax.org/en/latest/options/document.html).
_LITERAL = "tex2jax_ignore"
_FRONT = f'<div class="{_LITERAL}"><div class="topic">{{{{Topic}}}}</div>\n{{{{Question}}}}</div>'
_SECTION = (
    '{{{{#{name}}}}}<div class="section {literal}"><div class="heading">{name}</div>{{{{{name}}}}}</div>{{{{/{name}}}}}'
)
_STYLE = """.card { font-family: sans-serif; font-size: 18px; line-height: 1.45; text-align: left; }
.topic, .heading { font-size: 13px; opacity: .65; }
.section { margin-top: 1em; }
pre { padding: .6em; background: rgba(127, 127, 127, .15); overflow-x: auto; }
"""
#: What MathJax gives a meaning after HTML is read, so that an entity is not enough: the two signs must not be one text.
_MATHEMATICS = re.compile(r"\\(?=[()\[\]])")
#: NUL, which is in no printable text, is where the two signs part.
_PARTED = "\\\\\x00"
#: The signs of HTML, and what Anki gives a meaning before it: `[sound:]`, `[latex]`, `[$]`, `{{c1::}}`.
_ENTITIES = str.maketrans(
    {**{sign: f"&#{ord(sign)};" for sign in "&<>\"'[]{}"}, "\x00": "<span></span>"},
)
#: What ends a tag, or makes a tree of it.
_NOT_IN_TAGS = re.compile(r"[\s\"':*\\\x00-\x1f\x7f]+")
_MEMBER_DATE = (1980, 1, 1, 0, 0, 0)


def render_anki(content: Content) -> bytes:
    """A package with one deck and a note a question, made in memory. The same content gives the same bytes."""
    with closing(sqlite3.connect(":memory:")) as connection:
        _fill(connection.cursor(), content)
        connection.commit()
        return _package(connection.serialize())


def deck_id(session_id: str) -> int:
    """Of a session, always the same. Anki's clients take up to 2^53."""
    return (1 << 48) + int.from_bytes(hashlib.sha256(session_id.encode()).digest()[:6])


def _fill(cursor: sqlite3.Cursor, content: Content) -> None:
    import genanki  # noqa: PLC0415  only the process that renders loads it

    deck = genanki.Deck(deck_id(content.id), _deck_name(content.title), _description(content))
    deck.add_model(_model())
    genanki.Package([deck]).write_to_db(cursor, _MODEL_CHANGED, count())
    # Ids are milliseconds in Anki, by which it tells when a note was made.
    ids = count(_milliseconds(content.created_at))
    for position, item in enumerate(content.items):
        changed = _milliseconds(item.updated_at or content.created_at) // 1000
        _note(position, item).write_to_db(cursor, changed, deck.deck_id, ids)


@cache
def _model() -> "genanki.Model":
    import genanki  # noqa: PLC0415

    answer = "\n".join(_SECTION.format(name=name, literal=_LITERAL) for name in FIELDS[1:-1])
    card = {"name": "Question", "qfmt": _FRONT, "afmt": f"{{{{FrontSide}}}}\n<hr id=answer>\n{answer}"}
    return genanki.Model(MODEL_ID, "InterVAI question", [{"name": name} for name in FIELDS], [card], css=_STYLE)


def _note(position: int, item: Item) -> "genanki.Note":
    """In the order of `FIELDS`."""
    import genanki  # noqa: PLC0415

    fields = [
        _prose(item.text),
        _prose(item.answer),
        _list(item.key_points),
        _list(item.follow_ups),
        _prose(item.notes),
        _text(" ".join(printable(item.category).split())),
    ]
    return genanki.Note(_model(), fields, tags=_tags(item), guid=f"intervai-{item.id}", due=position)


def _tags(item: Item) -> list[str]:
    tags = [f"topic::{_tag(item.category)}", f"difficulty::{_tag(item.difficulty)}"]
    return [*tags, "pinned"] if item.is_pinned else tags


def _tag(text: str) -> str:
    return _NOT_IN_TAGS.sub("_", printable(text)).strip("_") or "other"


def _deck_name(title: str) -> str:
    """Two colons would make a deck within a deck."""
    return re.sub(r":{2,}", ":", " ".join(printable(title).split())) or "Interview"


def _description(content: Content) -> str:
    about = f"{content.role}, {content.experience}: {', '.join(content.topics)}"
    return _text(" ".join(printable(about).split()))


def _prose(text: str) -> str:
    return "".join(_block(block) for block in read_blocks(text))


def _block(block: Block) -> str:
    if isinstance(block, Code):
        return f"<pre><code>{_text(block.text)}</code></pre>"
    return f"<p>{'<br>'.join(_line(line) for line in block.lines)}</p>"


def _list(lines: Sequence[str]) -> str:
    entries = "".join(f"<li>{_line(read_line(line))}</li>" for line in lines)
    return f"<ul>{entries}</ul>" if entries else ""


def _line(line: Line) -> str:
    return "".join(f"<code>{_text(span.text)}</code>" if span.is_code else _text(span.text) for span in line)


def _text(text: str) -> str:
    return _MATHEMATICS.sub(_PARTED, text).translate(_ENTITIES)


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).astimezone(UTC).timestamp() * 1000)


def _package(collection: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in (("collection.anki2", collection), ("media", b"{}")):
            member = zipfile.ZipInfo(name, _MEMBER_DATE)
            member.create_system = 3  # as on Unix, whatever makes it
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, body)
    return file.getvalue()
