"""The printed page, as a PDF reader takes it apart."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from pypdf import PageObject, PdfReader

from export_service.renderers.content import Content, Item
from export_service.renderers.pdf import render_pdf
from export_service.renderers.prose import printable

NewContent = Callable[..., Content]
LINES = ("title", "role", "experience", "category")
LISTS = ("topics", "key_points", "follow_ups")
PROSE = ("text", "answer", "notes")


def pages(content: Content) -> list[PageObject]:
    return list(PdfReader(io.BytesIO(render_pdf(content)), strict=True).pages)


def text_of(content: Content) -> str:
    return "\n".join(page.extract_text() for page in pages(content))


def squeezed(text: str) -> str:
    """Without white space: where lines break is the page's business."""
    return "".join(printable(text).split())


def fonts_of(content: Content) -> set[str]:
    names: set[str] = set()
    for page in pages(content):
        resources: Any = page["/Resources"]
        names |= {font["/BaseFont"].partition("+")[2] for font in resources["/Font"].values()}
    return names


def outline_of(content: Content) -> list[Any]:
    """Titles of the bookmarks; those below one are a list after it."""

    def titles(entries: list[Any]) -> list[Any]:
        return [titles(entry) if isinstance(entry, list) else entry.title for entry in entries]

    return titles(PdfReader(io.BytesIO(render_pdf(content))).outline)


def is_inside(link: Any) -> bool:
    """Whether a link leads to a page of the file (ISO 32000-2, 12.6.4.2)."""
    return "/Dest" in link or link["/A"]["/S"] == "/GoTo"


def test_hostile_text_is_printed_as_it_is(hostile: str, content: NewContent) -> None:
    texts = {name: f"{hostile} ({name})" for name in (*LINES, *LISTS, *PROSE)}
    texts["text"] = " ".join(texts["text"].split())  # of several paragraphs only the first is the heading
    fields = {name: [text] if name in LISTS else text for name, text in texts.items()}
    printed = squeezed(text_of(content(**fields)))
    assert [name for name, text in texts.items() if squeezed(text) not in printed] == []


def test_hostile_text_makes_no_link_and_no_attachment(hostile_content: Content) -> None:
    file = render_pdf(hostile_content)
    reader = PdfReader(io.BytesIO(file))
    links = [link.get_object() for page in reader.pages for link in page.get("/Annots", [])]
    assert links  # those of the contents
    assert all(link["/Subtype"] == "/Link" and is_inside(link) for link in links)
    assert not reader.attachments
    assert b"/JavaScript" not in file


@pytest.mark.parametrize(
    "text",
    [
        "日本語の質問です。空白のない長い文章。" * 40,
        "中文 한국어 ไทย हिन्दी",
        "שלום עולם مرحبا بالعالم",
        "😀 👩‍👩‍👧‍👦 🇩🇪",
        "\u0301 lone \u0308\u0308 marks",
        "\u202eright to left\u202c \u2066isolated\u2069 \ufeff \u200b \ufffe",
        "".join(map(chr, range(1, 160))),
        "\U0010ffff \U000e0001 \ue000",
    ],
)
def test_characters_without_a_glyph_do_not_break_the_file(text: str, content: NewContent) -> None:
    file = content(title=text[:200], topics=[text[:60]], text=text, answer=text, category=text[:60], notes=text)
    assert "senior" in text_of(file)


@pytest.mark.parametrize(
    ("unit", "times"),
    [("y" * 31 + " ", 625), ("`" + "y" * 31 + "` ", 588), ("`a` ", 1_500), ("- a\n", 1_500), ("```\na\n```\n", 500)],
)
def test_much_of_the_same_does_not_break_the_file(unit: str, times: int, content: NewContent) -> None:
    assert render_pdf(content(answer=unit * times)).startswith(b"%PDF")


@pytest.mark.parametrize("word", ["x" * 400, "x-" * 200, "https://example.com/" + "path/" * 80, "é" * 400])
def test_no_line_leaves_the_page(word: str, content: NewContent) -> None:
    code = f"```\n{word}\n```\n`{word}`"
    long = content(title=word[:200], topics=[word[:60]], text=word, answer=f"{word}\n\n{code}", notes=word)
    lines = text_of(long).splitlines()
    assert max(map(len, lines)) < 150  # letters; 'x' and 'é' need some 95 for the width of the page
    assert squeezed(text_of(long)).count(squeezed(word)) >= 4


def test_code_is_set_in_a_typewriter_face_and_other_text_is_not(content: NewContent) -> None:
    assert not any("Mono" in font for font in fonts_of(content(answer="Use COPY . . here.")))
    for answer in ("Use `COPY . .` here.", "Use\n```\nCOPY . .\n```"):
        assert any("Mono" in font for font in fonts_of(content(answer=answer)))
        assert "`" not in text_of(content(answer=answer))


def test_code_is_printed_and_not_run(content: NewContent) -> None:
    code = '#panic("x") $x$ ] *b* <label> \\ // c'
    answer = f"`{code}` and\n```typst\n{code}\n\n  {code}\n```"
    assert squeezed(text_of(content(answer=answer))).count(squeezed(code)) == 3


def test_the_page_tells_what_it_is_about(content: NewContent) -> None:
    text = text_of(content(title="My interview", role="SRE", experience="senior", topics=["Docker", "Go"]))
    for words in ("My interview", "SRE", "senior", "Docker", "Go", "5 March 2026", "2 / 3", "3 / 3"):
        assert words in text
    assert "1QUESTION1EASY" in squeezed(text)


def test_questions_are_bookmarks_under_their_topics(content: NewContent) -> None:
    items = [Item(f"{n:024x}", f"Q{n}?", "", "easy", topic, [], [], False, "") for n, topic in enumerate("ABA")]
    assert outline_of(content(items=items)) == ["A", ["1. Q0?", "2. Q2?"], "B", ["3. Q1?"]]


def test_what_is_pinned_hard_and_noted_shows(content: NewContent) -> None:
    shown = text_of(content(is_pinned=True, difficulty="hard", notes="Remember.")).upper()
    assert all(words in shown for words in ("HARD", "PINNED", "MY NOTES", "REMEMBER.", "KEY POINTS", "1\n★ PINNED"))
    plain = text_of(content(difficulty="easy", notes="", key_points=[], follow_ups=[])).upper()
    assert not any(words in plain for words in ("PINNED", "MY NOTES", "KEY POINTS", "FOLLOW-UP"))


def test_a_session_without_questions_is_a_page_that_says_so(content: NewContent) -> None:
    cover, page = pages(content(items=[], topics=[]))
    assert "no questions yet" in page.extract_text()
    assert "0QUESTIONS" in squeezed(cover.extract_text())


def test_two_hundred_long_questions_are_all_printed(content: NewContent) -> None:
    items = [
        Item(f"{n:024x}", f"Question {n}?", "An answer. " * 80, "easy", f"Topic {n % 7}", ["Point"], [], False, "")
        for n in range(200)
    ]
    long = content(items=items)
    outline = outline_of(long)
    assert sum(len(entry) for entry in outline if isinstance(entry, list)) == 200
    assert outline[-1][-1].startswith("200. ")


def test_an_answer_of_twenty_thousand_characters_is_printed_to_its_end(content: NewContent) -> None:
    answer = " ".join(f"word{number}" for number in range(2_000))
    text = text_of(content(answer=answer))
    assert squeezed(answer[-2_000:-1_000]) in squeezed(text)
    assert "word1999" in text


def test_the_file_says_what_it_is_and_when_the_session_was(content: NewContent) -> None:
    metadata = PdfReader(io.BytesIO(render_pdf(content(title="My <interview>")))).metadata
    assert metadata is not None
    assert metadata.title == "My <interview>"
    assert metadata.creation_date is not None
    assert metadata.creation_date.isoformat() == "2026-03-05T10:00:00+00:00"
