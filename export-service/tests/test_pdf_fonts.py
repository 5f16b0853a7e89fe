"""Which letters a PDF can show, and that it shows them the same everywhere."""

import io
import pickle
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typst
from pypdf import PdfReader
from pypdf.generic import ContentStream

from export_service.renderers.content import Content
from export_service.renderers.fonts import REPLACEMENT, _cjk_ranges, _typst_ranges, fonts_for
from export_service.renderers.pdf import render_pdf

NewContent = Callable[..., Content]
# ruff: noqa: RUF001  letters of other languages are what this is about
SAMPLES = {
    "latin": "Zażółć gęślą jaźń, Ærøskøbing, Đặng, ﬁ ‰ € “” – … →",
    "greek": "Ελληνικά, ὦ ἄνδρες Ἀθηναῖοι",
    "cyrillic": "Привет, Ґанок, Ђорђе",
    "chinese": "什么是容器？骨直海（繁體：這個問題）",
    "japanese": "日本語の質問です。カタカナ「引用」",
    "korean": "컨테이너란 무엇입니까? 한국어",
    "rare han": "\U0002000b\U0002a6b2 㐀 𠮷野家",
    "no font": "ไทย हिन्दी 😀 👩\u200d👩\u200d👧 🇩🇪 \u2764\ufe0f \ue000 \U0010ffff",
    "marks": "e\u0301 a\u0308 \u0301 lone \u0308\u0308 б\u0301 中\u0301",
    "invisible": "a\u200bb\u200dc\ufeffd\u202ee\u202c \u2066f\u2069 soft\u00adhyphen",
}


def glyphs(file: bytes) -> Iterator[tuple[str, int]]:
    """Font and glyph of all that the pages show. typst's fonts are of type 0 with two bytes a glyph (ISO 32000-2,
    9.7), and glyph 0 of each is .notdef, the box."""
    reader = PdfReader(io.BytesIO(file))
    for page in reader.pages:
        resources: Any = page["/Resources"]
        fonts = resources["/Font"]
        font = ""
        for operands, operator in ContentStream(page["/Contents"], reader).operations:
            if operator == b"Tf":
                font = fonts[operands[0]]["/BaseFont"].partition("+")[2]
                assert fonts[operands[0]]["/Encoding"] == "/Identity-H"
            elif operator in {b"Tj", b"TJ"}:
                for text in operands[0] if operator == b"TJ" else operands:
                    raw = getattr(text, "original_bytes", text)
                    if isinstance(raw, bytes):
                        yield from ((font, int.from_bytes(raw[at : at + 2])) for at in range(0, len(raw), 2))


def boxes(file: bytes) -> int:
    shown = [glyph for _, glyph in glyphs(file)]
    assert shown
    return shown.count(0)


def everywhere(text: str) -> dict[str, Any]:
    """Fields of a content that has the text in headings, labels, paragraphs, code and lists."""
    code = f"{text}\n\n`{text}`\n\n```\n{text}\n```"
    return {
        **dict.fromkeys(("title", "role", "experience", "category", "difficulty"), text),
        "topics": [text],
        "key_points": [code],
        "follow_ups": [text],
        "text": f"{text} `{text}`",
        "answer": code,
        "notes": code,
        "is_pinned": True,
    }


def test_a_box_is_seen() -> None:
    fonts = typst.Fonts(include_system_fonts=False)
    assert boxes(typst.compile("Thai: ไทย".encode(), font_paths=fonts)) == 3
    assert boxes(typst.compile(b"Thai", font_paths=fonts)) == 0


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("locale", ["en", "ja"])
def test_no_letter_is_a_box(name: str, locale: str, content: NewContent) -> None:
    assert boxes(render_pdf(content(**everywhere(SAMPLES[name]), locale=locale))) == 0


@pytest.mark.parametrize("name", ["latin", "greek", "cyrillic", "chinese", "japanese", "korean", "rare han"])
def test_languages_are_printed_as_they_are(name: str, content: NewContent) -> None:
    file = PdfReader(io.BytesIO(render_pdf(content(answer=SAMPLES[name]))))
    printed = "".join(page.extract_text() for page in file.pages)
    assert REPLACEMENT not in printed
    for word in SAMPLES[name].replace("ﬁ", "").split():
        assert word in unicodedata.normalize("NFC", printed)


def test_what_no_font_has_is_replaced_visibly(content: NewContent) -> None:
    file = PdfReader(io.BytesIO(render_pdf(content(answer="one 😀 two", key_points=["ไทย"]))))
    printed = "".join(page.extract_text() for page in file.pages)
    assert f"one {REPLACEMENT} two" in printed
    assert REPLACEMENT * 3 in printed


def test_the_table_of_typsts_letters_is_true(content: NewContent) -> None:
    chars = [chr(code) for first, last in _typst_ranges() for code in range(first, last + 1)]
    letters = [char for char in chars if unicodedata.category(char)[0] not in "MCZ"]
    assert len(letters) > 5_000
    file = render_pdf(content(answer=" ".join(letters[::19]).replace("`", "")))
    assert boxes(file) == 0
    assert not any("CJK" in font for font, _ in glyphs(file))


def test_the_table_of_the_packages_letters_is_true(content: NewContent) -> None:
    codes = [code for first, last in _cjk_ranges() for code in range(first, last + 1)]
    assert len(codes) > 40_000
    sample = "".join(map(chr, codes[400::23]))
    assert boxes(render_pdf(content(answer=sample, notes=f"```\n{sample[::5]}\n```"))) == 0


@pytest.mark.parametrize("text", ["plain", "Ελληνικά", "😀"])
def test_the_large_fonts_are_opened_for_letters_that_need_them_only(text: str) -> None:
    def large(text: str) -> list[str]:
        return [family for family in fonts_for(text, "en").book.families() if "CJK" in family]

    assert large(text) == []
    assert large(text + "語") != []


@pytest.mark.parametrize(("locale", "face"), [("en", "SC"), ("de", "SC"), ("ja", "JP")])
def test_han_letters_look_as_in_the_language_of_the_layout(locale: str, face: str, content: NewContent) -> None:
    used = {font for font, _ in glyphs(render_pdf(content(answer="骨直海 `骨`", locale=locale)))}
    cjk = {font for font in used if "CJK" in font}
    assert len(cjk) == 2
    assert all(f"CJK{face.lower()}-" in font for font in cjk)


def test_each_process_makes_the_same_bytes(content: NewContent) -> None:
    """The machine's fonts and the seed of hashes differ between them."""
    fields = everywhere("Text " + " ".join(SAMPLES.values()))
    here = render_pdf(content(**fields))
    assert render_pdf(content(**fields)) == here
    script = (
        "import sys, pickle; from export_service.renderers.pdf import render_pdf; "
        "sys.stdout.buffer.write(render_pdf(pickle.load(sys.stdin.buffer)))"
    )
    asked = pickle.dumps(content(**fields))
    environment = {"PYTHONHASHSEED": "1"}
    there = subprocess.run(
        [sys.executable, "-c", script], input=asked, capture_output=True, check=True, env=environment
    )
    assert there.stdout == here
