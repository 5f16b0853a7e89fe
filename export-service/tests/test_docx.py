"""The Word document, as python-docx reads it back."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from zipfile import ZipFile

import docx
import pytest
from docx.document import Document
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st

from export_service.renderers.content import Content, Item
from export_service.renderers.docx_file import render_docx
from export_service.renderers.prose import printable

NewContent = Callable[..., Content]
LINES = ("title", "role", "experience", "category")
LISTS = ("topics", "key_points", "follow_ups")
PROSE = ("text", "answer", "notes")
CONTENTS = r' TOC \o "1-2" \h '


def opened(content: Content) -> Document:
    return docx.Document(io.BytesIO(render_docx(content)))


def text_of(document: Document) -> str:
    """All of it, that of the table of contents too."""
    kinds = {qn("w:t"): None, qn("w:br"): "\n", qn("w:tab"): "\t", qn("w:p"): "\n"}
    found = document.element.body.iter(*kinds)
    return "".join(element.text or "" if kinds[element.tag] is None else str(kinds[element.tag]) for element in found)


def styled(document: Document, style: str) -> list[str]:
    return [paragraph.text for paragraph in document.paragraphs if paragraph.style and paragraph.style.name == style]


def instructions(document: Document) -> list[str]:
    """The code of the fields of the body."""
    return [code.text or "" for code in document.element.body.iter(qn("w:instrText"))]


def squeezed(text: str) -> str:
    return "".join(printable(text).split())


def structure(document: Document) -> set[str]:
    """Which elements there are, and which styles."""
    body = document.element.body
    return {str(element.tag) for element in body.iter()} | {
        str(style.get(qn("w:val"))) for style in body.iter(qn("w:pStyle"), qn("w:rStyle"))
    }


def everywhere(text: str) -> Content:
    item = Item("0" * 24, text, text, "easy", text, [text], [text], is_pinned=True, notes=text)
    return Content("0" * 24, text, text, text, [text], "2026-03-05T10:00:00Z", [item])


def many(count: int) -> list[Item]:
    return [
        Item(f"{n:024x}", f"Q{n}?", "An answer.", "easy", f"Topic {n % 7}", ["Point"], [], False, "")
        for n in range(count)
    ]


def test_hostile_text_is_shown_as_it_is(hostile: str, content: NewContent) -> None:
    texts = {name: f"{hostile} ({name})" for name in (*LINES, *LISTS, *PROSE)}
    texts["text"] = " ".join(texts["text"].split())  # of several paragraphs only the first is the heading
    fields = {name: [text] if name in LISTS else text for name, text in texts.items()}
    shown = squeezed(text_of(opened(content(**fields))))
    assert [name for name, text in texts.items() if squeezed(text) not in shown] == []


def test_hostile_text_makes_no_structure_of_its_own(hostile_content: Content, content: NewContent) -> None:
    harmless = opened(content(is_pinned=True, answer="a\nb", difficulty="unknown"))
    hostile = opened(hostile_content)
    assert structure(hostile) <= structure(harmless)
    assert instructions(hostile) == [CONTENTS]
    parts = [hostile.part.package, *hostile.part.package.iter_parts()]
    assert [rel for part in parts for rel in part.rels.values() if rel.is_external] == []


@pytest.mark.parametrize(
    "text",
    [
        '</w:t></w:r><w:r><w:instrText> DDEAUTO c:\\\\x "y" </w:instrText></w:r>',
        "]]><!-- <?xml version='1.0'?> -->",
        '{ DDEAUTO c:\\windows\\system32\\cmd.exe "/k" } { INCLUDETEXT "c:\\x" }',
        "&lt;w:br/&gt; &#13; _x0041_",
        "日本語の質問です。空白のない長い文章。" * 40,
        "שלום עולם مرحبا بالعالم",
        "😀 👩‍👩‍👧‍👦 🇩🇪 \U0010ffff \ue000",
        "y" * 20_000,
    ],
)
def test_what_word_could_take_for_its_own_is_text(text: str) -> None:
    document = opened(everywhere(text))
    assert text_of(document).count(text) == 12
    assert instructions(document) == [CONTENTS]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\ud800b\udfffc", "a\ufffdb\ufffdc"), ("\ufffe\uffff", "\ufffd\ufffd"), ("".join(map(chr, range(160))), None)],
)
def test_characters_that_xml_forbids_do_not_break_the_file(text: str, shown: str | None) -> None:
    document = opened(everywhere(text))
    assert squeezed(shown or text) in squeezed(text_of(document))


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_characters="`"), min_size=1, max_size=40))
def test_no_text_at_all_is_lost_or_breaks_the_file(text: str) -> None:
    shown = squeezed(text_of(opened(everywhere(text))))
    expected = squeezed(
        "".join("\ufffd" if "\ud800" <= char <= "\udfff" or char in "\ufffe\uffff" else char for char in text)
    )
    assert shown.count(expected) >= 8


@pytest.mark.parametrize("code", ["def f():\n\treturn 1", "  <b>\n\n    # x  y", "{ PAGE }\n\t\t&amp;", "x" * 400])
def test_fenced_code_comes_out_as_the_same_code(code: str, content: NewContent) -> None:
    document = opened(content(answer=f"Before\n```python\n{code}\n```\nafter", notes=f"```\n{code}\n```"))
    for style in ("Code Block", "Quote Code"):
        assert styled(document, style) == [code]
        assert document.styles[style].font.name == "Consolas"


def test_the_lines_of_a_paragraph_stay_lines(content: NewContent) -> None:
    document = opened(content(answer="one\ntwo\n\nthree", notes="four\nfive"))
    assert styled(document, "Normal") == ["one\ntwo", "three"]
    assert styled(document, "Quote") == ["four\nfive"]


def test_the_file_says_what_it_is_and_when_the_session_was(content: NewContent) -> None:
    properties = opened(content(title="My <interview>", topics=["A", "B"], locale="fr")).core_properties
    assert (properties.title, properties.subject, properties.keywords) == ("My <interview>", "Role, senior", "A, B")
    assert (properties.author, properties.last_modified_by, properties.comments) == ("InterVAI", "InterVAI", "")
    assert properties.language == "fr"
    assert properties.created is not None
    assert properties.created == properties.modified
    assert properties.created.isoformat() == "2026-03-05T10:00:00+00:00"


def test_properties_that_are_too_long_are_cut(content: NewContent) -> None:
    properties = opened(content(title="x" * 1_000, topics=["y" * 200] * 3)).core_properties
    assert (len(properties.title), len(properties.keywords)) == (255, 255)


def test_a_session_without_questions_is_a_page_that_says_so(content: NewContent) -> None:
    document = opened(content(items=[], topics=[]))
    assert "This session has no questions yet." in text_of(document)
    assert instructions(document) == []


def test_a_question_that_is_code_has_its_number_for_a_heading(content: NewContent) -> None:
    document = opened(content(text="```\nprint(1)\n```"))
    assert styled(document, "Heading 2") == ["1. "]
    assert styled(document, "Code Block") == ["print(1)"]


def test_every_link_and_bookmark_of_two_thousand_questions_is_one_of_a_kind(content: NewContent) -> None:
    long = content(items=many(2_000))
    started = time.process_time()
    file = render_docx(long)
    assert time.process_time() - started < 15  # some 0.7 s on an idle machine
    document = docx.Document(io.BytesIO(file))
    names = [mark.get(qn("w:name")) for mark in document.element.body.iter(qn("w:bookmarkStart"))]
    assert len(names) == len(set(names)) == 2_007
    assert text_of(document).count("\n2000. Q") == 2


def digest_elsewhere(year: int, zone: str, seed: int) -> str:
    """Of the file, as another process makes it on another day, in another zone and with other hashes."""
    code = (
        "import hashlib, time, zipfile\n"
        f"zipfile.time.localtime = lambda *_: time.struct_time(({year}, 3, 4, 10, 20, 30, 0, 0, 0))\n"
        "from export_service.renderers import render\n"
        "from export_service.renderers.content import Content, Item\n"
        "item = Item('0' * 24, 'Q `x`?', 'A.', 'easy', 'T', ['p'], ['f'], True, '```\\ny\\n```')\n"
        "content = Content('0' * 24, 'Title', 'Role', 'senior', ['T'], '2026-03-05T10:00:00Z', [item])\n"
        "print(hashlib.sha256(render('docx', content)).hexdigest())"
    )
    environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": str(seed)}
    return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)


def test_every_process_makes_the_same_bytes_on_every_day() -> None:
    assert digest_elsewhere(2026, "UTC", 1) == digest_elsewhere(2031, "Asia/Tokyo", 2)


def test_no_entry_of_the_archive_tells_the_time(content: NewContent) -> None:
    with ZipFile(io.BytesIO(render_docx(content()))) as archive:
        assert archive.namelist()[0] == "[Content_Types].xml"
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
