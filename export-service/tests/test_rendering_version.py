"""Whoever changes what a renderer writes raises `RENDERING`: this notices when it was forgotten."""

import hashlib
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export_service.exports.hashing import RENDERING
from export_service.renderers import RENDERERS, render
from export_service.renderers.content import Content

NOTED = Path(__file__).with_name("rendered.json")
RICH: dict[str, Any] = {
    "id": "665f1c2e9b1d8a0012345602",
    "text": "Wie findet man 面接, συνέντευξη und собеседование?",
    "answer": "With `casefold`:\n\n```python\ndef folded(text):\n\treturn text.casefold()\n```",
    "difficulty": "hard",
    "category": "Languages",
    "key_points": ["`NFKC` first"],
    "follow_ups": ["And Korean 면접?"],
    "is_pinned": True,
    "notes": "=1+1",
}
NewContent = Callable[..., Content]


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


def digest(kind: str, content: NewContent) -> str:
    found, (plain,) = hashlib.sha256(), content().items
    for locale, paper in (("en", "a4"), ("ja", "letter")):
        session = content(title="Größe", locale=locale, paper=paper, items=[plain, replace(plain, **RICH)])
        for part in stable(render(kind, session)):
            found.update(part)
    return found.hexdigest()


@pytest.mark.parametrize("kind", RENDERERS)
def test_what_a_renderer_writes_has_a_version(kind: str, content: NewContent) -> None:
    noted = json.loads(NOTED.read_text())
    found = {"rendering": RENDERING, kind: digest(kind, content)}
    wanted = {"rendering": noted["rendering"], kind: noted["files"][kind]}
    assert found == wanted, "raise RENDERING in exports/hashing.py, then note what is found in tests/rendered.json"
