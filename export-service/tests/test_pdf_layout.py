"""The pages of a PDF: the cover, the contents, the paper, the language."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from pypdf import PdfReader

from export_service.renderers.content import Content, Item
from export_service.renderers.labels import LABELS
from export_service.renderers.pdf import render_pdf

NewContent = Callable[..., Content]
#: Width and height in points of 1/72 inch (ISO 216, ANSI Y14.1).
PAPERS = {"a4": (595.28, 841.89), "letter": (612, 792)}


def questions(count: int) -> list[Item]:
    levels = ("easy", "medium", "hard")
    return [
        Item(f"{n:024x}", f"Question{n}?", "Answer. " * 90, levels[n % 3], f"Topic {n % 4}", [], [], n < 2, "")
        for n in range(count)
    ]


def read(content: Content) -> PdfReader:
    return PdfReader(io.BytesIO(render_pdf(content)), strict=True)


@pytest.mark.parametrize("paper", PAPERS)
def test_the_paper_is_the_one_asked_for(paper: str, content: NewContent) -> None:
    sizes = {(float(page.mediabox.width), float(page.mediabox.height)) for page in read(content(paper=paper)).pages}
    assert [pytest.approx(PAPERS[paper], abs=0.01)] == list(sizes)


def test_the_cover_counts_the_questions(content: NewContent) -> None:
    cover = "".join(read(content(items=questions(31))).pages[0].extract_text().split())
    assert "31QUESTIONS11EASY10MEDIUM10HARD2★PINNED" in cover


def test_pages_are_numbered_and_titled_but_the_cover(content: NewContent) -> None:
    reader = read(content(items=questions(12), title="My interview"))
    cover, *others = [page.extract_text() for page in reader.pages]
    assert f" / {len(reader.pages)}" not in cover
    assert len(others) > 3
    for number, text in enumerate(others, 2):
        assert "My interview" in text
        assert f"{number} / {len(reader.pages)}" in text


def test_the_contents_lead_to_the_pages_of_the_questions(content: NewContent) -> None:
    asked = content(items=questions(40))
    reader = read(asked)
    pages = [page.extract_text() for page in reader.pages]
    targets = []
    for page in reader.pages:
        for link in page.get("/Annots", []):
            place, _, _, top, _ = link.get_object()["/Dest"]
            target = (reader.get_page_number(place.get_object()) or 0, float(top))
            if target not in targets:
                targets.append(target)
    printed = [item for items in asked.by_category().values() for _, item in items]
    assert "Contents" in pages[1]
    assert len(targets) == len(printed)
    for (number, _), item in zip(targets, printed, strict=True):
        assert number >= 2
        assert item.text in pages[number]
        assert item.text in pages[1]


@pytest.mark.parametrize("locale", LABELS)
def test_our_words_are_in_the_language_asked_for(locale: str, content: NewContent) -> None:
    reader = read(content(locale=locale, is_pinned=True, difficulty="hard"))
    text = "".join("".join(page.extract_text() for page in reader.pages).split()).upper()
    labels = LABELS[locale]
    words = (labels.contents, labels.topics, labels.key_points, labels.follow_ups, labels.notes, labels.pinned)
    for word in (*words, labels.levels["hard"], labels.questions[0]):
        assert "".join(word.split()).upper() in text
    root: Any = reader.trailer["/Root"]
    assert root["/Lang"] == locale


def test_a_long_title_stays_on_the_cover_and_is_cut_in_the_head(content: NewContent) -> None:
    title = "word " * 39 + "last!"
    cover, contents, _ = [page.extract_text() for page in read(content(title=title, topics=["Topic"] * 20)).pages]
    assert "last!" in cover
    assert "last!" not in contents
    assert "…" in contents
