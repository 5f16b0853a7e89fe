"""How the Word document looks, as python-docx reads it back."""

import io
from collections.abc import Callable
from typing import Any

import docx
import pytest
from docx.document import Document
from docx.oxml.ns import qn

from export_service.renderers.content import Content, Item, Layout
from export_service.renderers.docx_file import render_docx
from export_service.renderers.labels import LABELS, date_of

NewContent = Callable[..., Content]


def opened(content: Content) -> Document:
    return docx.Document(io.BytesIO(render_docx(content)))


def text_of(document: Document) -> str:
    """All of it, that of the table of contents too."""
    kinds = {qn("w:t"): None, qn("w:br"): "\n", qn("w:tab"): "\t", qn("w:p"): "\n"}
    found = document.element.body.iter(*kinds)
    return "".join(element.text or "" if kinds[element.tag] is None else str(kinds[element.tag]) for element in found)


def words_of(element: Any) -> str:
    return "".join(text.text for text in element.iter(qn("w:t")))


def styled(document: Document, style: str) -> list[str]:
    return [paragraph.text for paragraph in document.paragraphs if paragraph.style and paragraph.style.name == style]


def test_topics_and_questions_are_headings_numbered_throughout(content: NewContent) -> None:
    items = [Item(f"{n:024x}", f"Q{n}?", "", "easy", topic, [], [], False, "") for n, topic in enumerate("ABA")]
    document = opened(content(items=items))
    headings = [
        (paragraph.style.name, paragraph.text)
        for paragraph in document.paragraphs
        if paragraph.style and str(paragraph.style.name).startswith("Heading")
    ]
    assert headings == [
        ("Heading 1", "A"),
        ("Heading 2", "1. Q0?"),
        ("Heading 2", "2. Q2?"),
        ("Heading 1", "B"),
        ("Heading 2", "3. Q1?"),
    ]


def test_the_table_of_contents_is_a_field_that_is_already_filled_with_links(content: NewContent) -> None:
    items = [Item(f"{n:024x}", f"Use `Q{n}`?", "", "easy", topic, [], [], False, "") for n, topic in enumerate("ABA")]
    body = opened(content(items=items)).element.body
    (contents,) = body.iter(qn("w:sdt"))
    kinds = [mark.get(qn("w:fldCharType")) for mark in contents.iter(qn("w:fldChar"))]
    assert kinds == ["begin", "separate", "end"]
    assert [code.text for code in contents.iter(qn("w:instrText"))] == [r' TOC \o "1-2" \h ']
    links = {link.get(qn("w:anchor")): words_of(link) for link in contents.iter(qn("w:hyperlink"))}
    assert list(links.values()) == ["A", "1. Use Q0?", "2. Use Q2?", "B", "3. Use Q1?"]
    marks = body.iter(qn("w:bookmarkStart"))
    headings = {mark.get(qn("w:name")): words_of(mark.getparent()) for mark in marks}
    assert headings == links


def test_nothing_makes_word_ask_before_it_shows_the_file(content: NewContent) -> None:
    document = opened(content())
    assert list(document.settings.element.iter(qn("w:updateFields"))) == []
    assert [mark for mark in document.element.iter(qn("w:fldChar")) if mark.get(qn("w:dirty"))] == []
    assert not [part.partname for part in document.part.package.iter_parts() if "vba" in part.partname.lower()]


def test_pages_are_numbered_in_the_footer(content: NewContent) -> None:
    footer = opened(content()).sections[0].footer.part.element
    assert [code.text for code in footer.iter(qn("w:instrText"))] == [" PAGE ", " NUMPAGES "]


@pytest.mark.parametrize(("paper", "width", "height"), [("a4", 210, 297), ("letter", 215.9, 279.4)])
def test_the_paper_is_the_one_asked_for(paper: str, width: float, height: float, content: NewContent) -> None:
    section = opened(content(paper=paper)).sections[0]
    assert section.page_width is not None
    assert section.page_height is not None
    assert (section.page_width.mm, section.page_height.mm) == pytest.approx((width, height), abs=0.1)


@pytest.mark.parametrize("locale", LABELS)
def test_the_words_of_ours_are_in_the_language_asked_for(locale: str, content: NewContent) -> None:
    document = opened(content(locale=locale, is_pinned=True, difficulty="hard"))
    labels = LABELS[locale]
    assert styled(document, "Details") == [f"{labels.level('hard')}   ★ {labels.pinned}"]
    assert styled(document, "Label") == [labels.key_points, labels.follow_ups]
    assert styled(document, "Quote Label") == [labels.notes]
    assert date_of("2026-03-05T10:00:00Z", locale) in text_of(document)
    assert labels.count(1) in text_of(document)
    assert labels.contents in text_of(document)


def test_what_is_not_there_has_no_label(content: NewContent) -> None:
    shown = text_of(opened(content(notes="", key_points=[], follow_ups=[])))
    assert not any(words in shown for words in ("Pinned", "My notes", "Key points", "Follow-up"))


def test_code_is_set_in_a_typewriter_face_and_other_text_is_not(content: NewContent) -> None:
    document = opened(content(answer="Use `COPY . .` here."))
    (paragraph,) = [paragraph for paragraph in document.paragraphs if "COPY" in paragraph.text]
    assert [(run.text, run.style.font.name) for run in paragraph.runs] == [
        ("Use ", None),
        ("COPY . .", "Consolas"),
        (" here.", None),
    ]


def test_key_points_are_a_list_of_words_own(content: NewContent) -> None:
    document = opened(content(key_points=["One", "Two `2`"], follow_ups=["Three"]))
    assert styled(document, "List Bullet") == ["One", "Two 2", "Three"]
    (number,) = document.styles["List Bullet"].element.iter(qn("w:numId"))
    numbering = document.part.numbering_part.element
    assert number.get(qn("w:val")) in [num.get(qn("w:numId")) for num in numbering.iter(qn("w:num"))]
    assert [kind.get(qn("w:val")) for kind in numbering.iter(qn("w:numFmt"))] == ["bullet"]


@pytest.mark.parametrize(
    ("text", "locale", "language"),
    [
        ("コンテナとは", "en", "ja-JP"),
        ("容器是什么", "en", "zh-CN"),
        ("컨테이너란", "en", "ko-KR"),
        ("容器", "ja", "ja-JP"),
        ("plain", "de", "zh-CN"),
    ],
)
def test_east_asian_text_has_a_font_and_a_language(text: str, locale: str, language: str, content: NewContent) -> None:
    styles = opened(content(notes=text, locale=locale)).styles.element
    (fonts,) = styles[0].iter(qn("w:rFonts"))
    (languages,) = styles[0].iter(qn("w:lang"))
    assert languages.get(qn("w:eastAsia")) == language
    fitting = {"ja-JP": "Yu Gothic", "ko-KR": "Malgun Gothic", "zh-CN": "Microsoft YaHei"}
    assert fonts.get(qn("w:eastAsia")) == fitting[language]


@pytest.mark.parametrize(
    ("answer", "turned"),
    [
        ("שלום (abc).", True),
        ("123 مرحبا", True),
        ("abc שלום", False),
        ("```\nשמש\n```", False),
        ("plain", False),
    ],
)
def test_a_paragraph_runs_as_its_first_letter_does(answer: str, turned: bool, content: NewContent) -> None:
    body = opened(content(answer=answer, notes="")).element.body
    paragraphs = [paragraph for paragraph in body.iter(qn("w:p")) if words_of(paragraph) == answer.strip("`\n")]
    assert [list(paragraph.iter(qn("w:bidi"))) != [] for paragraph in paragraphs] == [turned]
    assert [list(paragraph.iter(qn("w:rtl"))) != [] for paragraph in paragraphs] == [turned]
    assert len(list(body.iter(qn("w:bidi")))) == turned


def test_another_layout_is_another_file(content: NewContent) -> None:
    files = {render_docx(content(paper=paper, locale=locale)) for paper in ("a4", "letter") for locale in LABELS}
    assert len(files) == 2 * len(LABELS)
    assert Layout() == content().layout
