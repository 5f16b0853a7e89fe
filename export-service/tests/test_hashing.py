"""The hash of a content: the same wherever it is computed, another one as soon as anything differs."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from bson import ObjectId

from export_service.exports import hashing
from export_service.exports.hashing import content_hash
from export_service.exports.service import object_key
from export_service.renderers import RENDERERS
from export_service.renderers.content import Content, Item, Layout

USER = ObjectId("665f1c2e9b1d8a0012345678")
OTHER = ObjectId("665f1c2e9b1d8a0012345679")
MakeContent = Callable[..., Content]

CODE = """
from bson import ObjectId
from export_service.exports.hashing import content_hash
from export_service.renderers.content import Content
print(content_hash(ObjectId("665f1c2e9b1d8a0012345678"), "pdf", Content("id", "Größe", "r", "e", ["b", "a"], "t", [])))
"""


def test_every_process_computes_the_same_hash() -> None:
    here = content_hash(USER, "pdf", Content("id", "Größe", "r", "e", ["b", "a"], "t", []))
    told = [
        subprocess.run(
            [sys.executable, "-c", CODE], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert [one.stdout.strip() for one in told] == [here, here]
    assert len(here) == 64
    assert set(here) <= set("0123456789abcdef")


def test_person_format_and_version_of_the_renderers_make_another_hash(
    content: MakeContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [content_hash(USER, "pdf", content()), content_hash(OTHER, "pdf", content())]
    found.append(content_hash(USER, "md", content()))
    monkeypatch.setattr(hashing, "RENDERING", hashing.RENDERING + 1)
    found.append(content_hash(USER, "pdf", content()))
    assert len(set(found)) == 4


def changed(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case str():
            return value + "x"
        case list():
            return [*value, "x"]
    raise AssertionError(value)


@pytest.mark.parametrize("name", [field.name for field in fields(Item)])
def test_each_field_of_a_question_counts(content: MakeContent, name: str) -> None:
    one = content()
    item = replace(one.items[0], **{name: changed(getattr(one.items[0], name))})
    assert content_hash(USER, "md", replace(one, items=[item])) != content_hash(USER, "md", one)


@pytest.mark.parametrize("name", [field.name for field in fields(Content) if field.name not in {"items", "layout"}])
def test_each_field_of_a_session_counts(content: MakeContent, name: str) -> None:
    one = content()
    other = replace(one, **{name: changed(getattr(one, name))})
    assert content_hash(USER, "md", other) != content_hash(USER, "md", one)


@pytest.mark.parametrize("name", [field.name for field in fields(Layout)])
def test_each_field_of_the_layout_counts(content: MakeContent, name: str) -> None:
    one = content()
    layout = replace(one.layout, **{name: changed(getattr(one.layout, name))})
    assert content_hash(USER, "md", replace(one, layout=layout)) != content_hash(USER, "md", one)


def test_the_order_of_the_questions_counts(content: MakeContent) -> None:
    one = content().items[0]
    items = [one, replace(one, id="665f1c2e9b1d8a0012345602")]
    assert content_hash(USER, "md", content(items=items)) != content_hash(USER, "md", content(items=items[::-1]))


def test_a_key_ends_in_the_export_and_the_extension_of_its_format() -> None:
    for kind, renderer in RENDERERS.items():
        key = object_key({"_id": USER, "contentHash": "ab" * 32, "format": kind})
        assert key == f"exports/{'ab' * 32}/{USER}.{renderer.extension}"


def test_an_export_from_before_there_were_hashes_keeps_its_key() -> None:
    assert object_key({"_id": USER, "format": "pdf"}) == f"exports/{USER}.pdf"
