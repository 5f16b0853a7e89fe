"""What of a session goes into a file, and the file's name; JSON, which holds all of it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from export_service.renderers import RENDERERS
from export_service.renderers.content import Content, Item, Layout, content_of
from export_service.renderers.json_file import SCHEMA, render_json

NewContent = Callable[..., Content]
ALL = {"onlyPinned": False, "includeAnswers": True, "includeNotes": True}


def question(text: str, *, pinned: bool = False) -> dict[str, Any]:
    return {
        "id": "665f1c2e9b1d8a0012345601",
        "text": text,
        "answer": "An answer.",
        "difficulty": "hard",
        "category": "Docker",
        "keyPoints": ["A point."],
        "followUps": ["And then?"],
        "isPinned": pinned,
        "notes": "A note.",
        "updatedAt": "2026-03-06T10:00:00Z",
    }


def told_by_qa_service(*questions: dict[str, Any]) -> dict[str, Any]:
    session = {"title": "T", "role": "R", "experience": "mid", "topics": ["X"], "createdAt": "2026-03-05T10:00:00Z"}
    session["id"] = "665f1c2e9b1d8a0012345600"
    return {"session": session, "questions": list(questions)}


def test_all_questions_are_in_with_everything_unless_options_say_otherwise() -> None:
    content = content_of(told_by_qa_service(question("one"), question("two", pinned=True)), ALL)
    assert [item.text for item in content.items] == ["one", "two"]
    assert (content.id, content.layout) == ("665f1c2e9b1d8a0012345600", Layout())
    assert content.items[1] == Item(
        "665f1c2e9b1d8a0012345601",
        "two",
        "An answer.",
        "hard",
        "Docker",
        ["A point."],
        ["And then?"],
        is_pinned=True,
        notes="A note.",
        updated_at="2026-03-06T10:00:00Z",
    )


def test_a_layout_is_what_the_options_say() -> None:
    options = {**ALL, "paper": "letter", "locale": "de", "bom": True}
    assert content_of(told_by_qa_service(), options).layout == Layout("letter", "de", bom=True)


@pytest.mark.parametrize(("wanted", "found"), [([], 1), (["hard"], 1), (["easy", "hard"], 1), (["easy", "medium"], 0)])
def test_only_questions_of_the_difficulties_asked_for_are_in(wanted: list[str], found: int) -> None:
    content = content_of(told_by_qa_service(question("one")), {**ALL, "difficulties": wanted})
    assert len(content.items) == found


def test_only_pinned_leaves_out_the_others() -> None:
    told = told_by_qa_service(question("one"), question("two", pinned=True))
    assert [item.text for item in content_of(told, {**ALL, "onlyPinned": True}).items] == ["two"]


@pytest.mark.parametrize("kind", RENDERERS)
def test_without_answers_neither_answers_nor_key_points_are_in_the_file(kind: str) -> None:
    content = content_of(told_by_qa_service(question("one")), {**ALL, "includeAnswers": False})
    (item,) = content.items
    assert (item.answer, item.key_points, item.follow_ups, item.notes) == ("", [], ["And then?"], "A note.")
    assert b"A point." not in RENDERERS[kind].render(content)


@pytest.mark.parametrize("kind", RENDERERS)
def test_without_notes_they_are_not_in_the_file(kind: str) -> None:
    content = content_of(told_by_qa_service(question("one")), {**ALL, "includeNotes": False})
    (item,) = content.items
    assert (item.answer, item.notes) == ("An answer.", "")
    assert b"A note." not in RENDERERS[kind].render(content)


@pytest.mark.parametrize("kind", RENDERERS)
def test_the_same_content_gives_the_same_bytes(kind: str, content: NewContent) -> None:
    render = RENDERERS[kind].render
    assert render(content()) == render(content())
    assert render(content()) != render(content(answer="Another answer."))


def test_json_gives_back_what_went_in(hostile: str, hostile_content: Content) -> None:
    document = json.loads(render_json(hostile_content))
    assert set(document) == {"schema", "session", "questions"}
    assert document["schema"] == SCHEMA
    assert document["session"]["createdAt"] == hostile_content.created_at
    assert [document["session"][name] for name in ("title", "role", "experience")] == [hostile] * 3
    given, (told,) = asdict(hostile_content.items[0]), document["questions"]
    assert given.pop("updated_at") == ""  # Anki alone needs it
    names = {"keyPoints": "key_points", "followUps": "follow_ups", "isPinned": "is_pinned"}
    assert {names.get(name, name): value for name, value in told.items()} == given


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("Backend engineer (senior)", "Backend-engineer-senior"),
        ("../../etc/passwd", "etc-passwd"),
        ('a"b\\c\r\nX-Evil: 1', "a-b-c-X-Evil-1"),
        ("Ελληνικά и кириллица", "Ελληνικά-и-кириллица"),
        ("इंटरव्यू", "इंटरव्यू"),
        ("日本語", "日本語"),
        ("...", "interview"),
        ("😀", "interview"),
    ],
)
def test_a_file_is_named_by_the_words_of_the_title(title: str, stem: str, content: NewContent) -> None:
    assert content(title=title).file_stem == stem


@pytest.mark.parametrize("letter", ["a", "é", "語", "𠀀"])
def test_a_file_name_fits_into_every_file_system(letter: str, content: NewContent) -> None:
    stem = content(title=letter * 200).file_stem
    assert 100 < len(stem.encode()) <= 250
    assert set(stem) == {letter}
