"""Whoever changes what a renderer writes raises `RENDERING`: this notices when it was forgotten."""

import hashlib
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from export_service.exports.hashing import RENDERING
from export_service.renderers import RENDERERS, render
from export_service.renderers.content import Content, Item, Layout

NOTED = Path(__file__).with_name("rendered.json")
PLAIN = Item(
    id="665f1c2e9b1d8a0012345601",
    text="What is a container?",
    answer="A process.\n\n- one\n- two",
    difficulty="easy",
    category="Docker",
    key_points=[],
    follow_ups=[],
    is_pinned=False,
    notes="",
)
RICH = Item(
    id="665f1c2e9b1d8a0012345602",
    text="Wie findet man 面接, συνέντευξη und собеседование?",
    answer="With `casefold`:\n\n```python\ndef folded(text):\n\treturn text.casefold()\n```",
    difficulty="hard",
    category="Languages",
    key_points=["`NFKC` first"],
    follow_ups=["And Korean 면접?"],
    is_pinned=True,
    notes="=1+1",
)


def content(locale: str, paper: str) -> Content:
    layout = Layout(locale=locale, paper=paper)
    about = ("665f1c2e9b1d8a0012345600", "Größe", "SRE", "senior", ["Docker"], "2026-03-05T10:00:00Z")
    return Content(*about, [PLAIN, RICH], layout)


def stable(file: bytes) -> Iterator[bytes]:
    """The bytes that are ours: how zlib packs them, and what SQLite notes of its own version, differs by machine."""
    if not zipfile.is_zipfile(io.BytesIO(file)):
        yield file
        return
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        for name in archive.namelist():
            yield name.encode()
            body = archive.read(name)
            if not body.startswith(b"SQLite format 3\0"):
                yield body
                continue
            with closing(sqlite3.connect(":memory:")) as connection:
                connection.deserialize(body)
                yield from (line.encode() for line in connection.iterdump())


def digest(kind: str) -> str:
    found = hashlib.sha256()
    for locale, paper in (("en", "a4"), ("ja", "letter")):
        for part in stable(render(kind, content(locale, paper))):
            found.update(part)
    return found.hexdigest()


@pytest.mark.parametrize("kind", RENDERERS)
def test_what_a_renderer_writes_has_a_version(kind: str) -> None:
    noted = json.loads(NOTED.read_text())
    found = {"rendering": RENDERING, kind: digest(kind)}
    wanted = {"rendering": noted["rendering"], kind: noted["files"][kind]}
    assert found == wanted, "raise RENDERING in exports/hashing.py, then note what is found in tests/rendered.json"
