"""Anki packages, as SQLite and an HTML parser understand them."""

import io
import json
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from export_service.renderers.anki import FIELDS, MODEL_ID, deck_id, render_anki
from export_service.renderers.content import Content, Item
from export_service.renderers.prose import printable

NewContent = Callable[..., Content]
#: What Anki would play, typeset, load or ask for.
ANKI = [
    "{{c1::hidden}} {{Answer}} {{{x}}} <% c %>",
    "[sound:bell.mp3] [anki:play:q:0] [anki:tts lang=en]x[/anki:tts]",
    "[latex]x[/latex] [$]x[/$] [$$]x[/$$]",
    r"\(x^2\) \[x^2\] \\(x\\) $$x$$",
    '<img src="a.png"> <anki-mathjax>x</anki-mathjax> <audio src=x> <script>alert(1)</script>',
]
TAGS = {"p", "br", "ul", "li", "code", "pre", "span"}


@contextmanager
def database(content: Content) -> Iterator[sqlite3.Connection]:
    with zipfile.ZipFile(io.BytesIO(render_anki(content))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["collection.anki2", "media"]
        assert archive.read("media") == b"{}"
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(archive.read("collection.anki2"))
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.row_factory = sqlite3.Row
            yield connection


def notes(content: Content) -> list[dict[str, Any]]:
    """The notes by the names of their columns; `fields` by the names of the fields."""
    with database(content) as connection:
        found = [dict(row) for row in connection.execute("SELECT * FROM notes ORDER BY id")]
    return [{**note, "fields": dict(zip(FIELDS, note["flds"].split("\x1f"), strict=True))} for note in found]


def note(content: Content) -> dict[str, Any]:
    (only,) = notes(content)
    return only


class _Reader(HTMLParser):
    """The text of a field, and which tags are in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert attrs == []
        self.tags.add(tag)
        if tag in {"p", "br", "li", "pre"}:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def read(html: str) -> tuple[str, set[str]]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return " ".join("".join(reader.pieces).split()), reader.tags


def plain(text: str) -> str:
    return " ".join(printable(text).split())


def test_a_session_is_a_deck_and_a_question_a_note_with_a_card(content: NewContent) -> None:
    told = content(key_points=["One", "Two"], is_pinned=True, category="System design", title="My deck")
    with database(told) as connection:
        column = connection.execute("SELECT decks, models FROM col").fetchone()
        cards = [tuple(row) for row in connection.execute("SELECT nid, did, ord, type, queue FROM cards")]
    decks, models = json.loads(column["decks"]), json.loads(column["models"])
    assert decks[str(deck_id(told.id))]["name"] == "My deck"
    assert len(decks) == 2  # Anki's own one is always there
    assert [field["name"] for field in models[str(MODEL_ID)]["flds"]] == list(FIELDS)
    made = note(told)
    assert cards == [(made["id"], deck_id(told.id), 0, 0, 0)]
    assert made["mid"] == MODEL_ID
    assert made["fields"] == {
        "Question": "<p>Question?</p>",
        "Answer": "<p>Answer.</p>",
        "Key points": "<ul><li>One</li><li>Two</li></ul>",
        "Follow-ups": "<ul><li>Follow-up?</li></ul>",
        "Notes": "<p>Note.</p>",
        "Topic": "System design",
    }
    assert made["tags"].split() == ["topic::System_design", "difficulty::easy", "pinned"]


def test_every_field_has_its_place_on_the_card(content: NewContent) -> None:
    with database(content()) as connection:
        (model,) = json.loads(connection.execute("SELECT models FROM col").fetchone()[0]).values()
    (card,) = model["tmpls"]
    assert all(f"{{{{{name}}}}}" in card["qfmt"] for name in ("Question", "Topic"))
    assert "{{Answer}}" not in card["qfmt"]
    assert all(f"{{{{#{name}}}}}" in card["afmt"] for name in FIELDS[1:5])
    assert card["afmt"].count("tex2jax_ignore") == 4


def test_hostile_text_is_shown_as_it_is(hostile: str, hostile_content: Content) -> None:
    for name, html in note(hostile_content)["fields"].items():
        text, tags = read(html)
        assert text == plain(hostile), name
        assert tags <= TAGS - {"code", "pre"}


@pytest.mark.parametrize("text", ANKI)
def test_nothing_of_anki_comes_of_text(text: str, content: NewContent) -> None:
    fields: dict[str, Any] = dict.fromkeys(("text", "answer", "notes", "category"), f"Before {text}")
    made = note(content(**fields, key_points=[text], follow_ups=[f"`{text}`"], title=text, topics=[text]))
    for name, html in made["fields"].items():
        assert not set("[]{}") & set(html), name
        assert "\\(" not in html
        shown, tags = read(html)
        assert shown.removeprefix("Before ") == plain(text)
        assert tags <= TAGS


def test_code_comes_out_as_code(content: NewContent) -> None:
    answer = "Use `a < b`:\n\n```python\nif a < b:\n    x[0] = {}\n```\nor\nnot."
    assert note(content(answer=answer))["fields"]["Answer"] == (
        "<p>Use <code>a &#60; b</code>:</p>"
        "<pre><code>if a &#60; b:\n    x&#91;0&#93; = &#123;&#125;</code></pre>"
        "<p>or<br>not.</p>"
    )


@pytest.mark.parametrize(
    ("category", "tag"),
    [("System design", "System_design"), ("a::b : c", "a_b_c"), ("\u3000x\u00a0y\t", "x_y"), ('"*', "other")],
)
def test_a_tag_has_no_space_and_makes_no_tree(category: str, tag: str, content: NewContent) -> None:
    assert note(content(category=category))["tags"] == f" topic::{tag} difficulty::easy "


def test_a_title_makes_no_deck_within_a_deck(content: NewContent) -> None:
    with database(content(title="A::B:::C")) as connection:
        decks = json.loads(connection.execute("SELECT decks FROM col").fetchone()[0])
    assert sorted(deck["name"] for deck in decks.values()) == ["A:B:C", "Default"]


def test_who_imports_a_second_time_gets_the_notes_changed_and_not_doubled(content: NewContent) -> None:
    """Anki finds a note by its guid and takes the newer one by `mod`."""
    first = content(updated_at="2026-03-05T10:00:00Z")
    later = content(answer="Another answer.", title="Renamed", updated_at="2026-03-06T10:00:00Z")
    old, new = note(first), note(later)
    assert (old["guid"], old["mid"]) == (new["guid"], new["mid"])
    assert new["mod"] - old["mod"] == 86_400
    assert new["fields"]["Answer"] == "<p>Another answer.</p>"
    other = replace(first, items=[replace(first.items[0], id="665f1c2e9b1d8a0012345699")])
    assert note(other)["guid"] != old["guid"]
    assert deck_id(first.id) != deck_id("665f1c2e9b1d8a0012345699")


def test_ids_fit_into_what_every_client_can_count(content: NewContent) -> None:
    assert all(0 < deck_id(f"{number:024x}") < 2**53 for number in range(1_000))


def test_questions_come_in_the_order_of_the_session(content: NewContent) -> None:
    items = [Item(f"{n:024x}", f"Q{n}?", "", "easy", "A", [], [], False, "") for n in range(200)]
    with database(content(items=items)) as connection:
        query = "SELECT flds, due FROM notes JOIN cards ON nid = notes.id ORDER BY due"
        found = [(row["flds"].split("\x1f")[0], row["due"]) for row in connection.execute(query)]
    assert found == [(f"<p>Q{n}?</p>", n) for n in range(200)]


def test_a_session_without_questions_is_an_empty_deck(content: NewContent) -> None:
    assert notes(content(items=[])) == []


def test_other_processes_make_the_same_bytes_without_touching_the_disk(content: NewContent) -> None:
    """`hash()` and the clock differ from process to process; a file opened to be written would end it."""
    script = (
        "import sys, hashlib\n"
        "def watch(event, args):\n"
        "    if event == 'open' and args[2] & 0o103: raise SystemExit(f'wrote {args[0]}')\n"
        "from export_service.renderers.anki import render_anki\n"
        "from export_service.renderers.content import Content, Item\n"
        "import genanki\n"
        "sys.addaudithook(watch)\n"
        "item = Item('0' * 24, 'Q?', 'A', 'easy', 'T', ['p'], ['f'], True, 'n')\n"
        "told = Content('0' * 24, 'T', 'R', 's', ['x', 'y'], '2026-03-05T10:00:00Z', [item])\n"
        "print(hashlib.sha256(render_anki(told)).hexdigest())\n"
    )
    made = set()
    for seed in ("1", "2"):
        command = [sys.executable, "-I", "-c", script]
        done = subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True)
        made.add(done.stdout.strip())
    assert len(made) == 1
    assert len(made.pop()) == 64


def test_the_library_is_not_loaded_with_the_renderers() -> None:
    script = "import sys, export_service.renderers; print('genanki' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
