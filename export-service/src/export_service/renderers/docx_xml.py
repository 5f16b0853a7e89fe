"""The few elements of WordprocessingML (ECMA-376 part 1, chapter 17) that an interview needs. What people typed goes in
as the text of an element, so none of it is ever XML or a field."""

import re
from collections.abc import Iterable, Iterator
from copy import copy
from functools import cache
from typing import cast

from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.oxml.xmlchemy import BaseOxmlElement

Element = BaseOxmlElement

#: What XML 1.0 cannot hold (its production 'Char'), halves of surrogate pairs among it.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Word ends no line and moves to no tab stop for the characters themselves.
_PIECES = re.compile(r"\n|\t|[^\n\t]+")
_CONTENTS = """<w:sdt>
  <w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/><w:docPartUnique/></w:docPartObj></w:sdtPr>
  <w:sdtContent/>
</w:sdt>"""
_TEXT = '<w:t xml:space="preserve"/>'


def paragraph(style: str, runs: Iterable[Element]) -> Element:
    """`style` is the id of a paragraph style."""
    made = _copy(f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr></w:p>')
    made.extend(runs)
    return made


def run(text: str, style: str = "") -> Element:
    """One line of text; `style` is the id of a character style."""
    made = _run(style, _TEXT)
    made[-1].text = xml_text(text)
    return made


def lines_run(text: str) -> Element:
    """Text with tabs and line breaks in it."""
    made = _run("", "")
    for piece in _PIECES.findall(xml_text(text)):
        made.append(_copy({"\n": "<w:br/>", "\t": "<w:tab/>"}.get(piece, _TEXT)))
        if piece not in "\n\t":
            made[-1].text = piece
    return made


def contents(entries: Iterable[Element]) -> Element:
    """The paragraphs as what Word shows with a button that makes its table of contents anew (17.5.2.13)."""
    made = _copy(_CONTENTS)
    made[-1].extend(entries)
    return made


def line_break() -> Element:
    """A run that ends a line, not the paragraph."""
    return _run("", "<w:br/>")


def field(instruction: str) -> list[Element]:
    """The runs that begin a field (17.16): its result follows, then `field_end()`."""
    code = _run("", '<w:instrText xml:space="preserve"/>')
    code[-1].text = f" {instruction} "
    return [_field_char("begin"), code, _field_char("separate")]


def field_end() -> Element:
    """The run that ends a field's result."""
    return _field_char("end")


def bookmark(number: int, runs: Iterable[Element]) -> Iterator[Element]:
    """The runs, as what a link to `bookmark_name(number)` finds."""
    start, end = _copy("<w:bookmarkStart/>"), _copy("<w:bookmarkEnd/>")
    for mark in (start, end):
        mark.set(qn("w:id"), str(number))
    start.set(qn("w:name"), bookmark_name(number))
    yield start
    yield from runs
    yield end


def bookmark_name(number: int) -> str:
    """As Word names what its tables of contents point to."""
    return f"_Toc{number:09}"


def link(number: int, runs: Iterable[Element]) -> Element:
    """The runs, as a link to a bookmark of this document."""
    made = _copy('<w:hyperlink w:history="1"/>')
    made.set(qn("w:anchor"), bookmark_name(number))
    made.extend(runs)
    return made


def xml_text(text: str) -> str:
    """With U+FFFD for what XML has no way to write."""
    return _NOT_XML.sub("\ufffd", text)


def turn_right_to_left(paragraph: Element) -> None:
    """Begins its lines on the right (17.3.1.6), and says of its runs that they are such text (17.3.2.30)."""
    paragraph[0].append(_copy("<w:bidi/>"))
    for found in paragraph.iter(qn("w:r")):
        if found[0].tag != qn("w:rPr"):
            found.insert(0, _copy("<w:rPr/>"))
        found[0].append(_copy("<w:rtl/>"))


def words_of(paragraph: Element) -> str:
    """The text of its runs."""
    return "".join(text.text or "" for text in paragraph.iter(qn("w:t")))


def _field_char(kind: str) -> Element:
    return _run("", f'<w:fldChar w:fldCharType="{kind}"/>')


def _run(style: str, inside: str) -> Element:
    properties = f'<w:rPr><w:rStyle w:val="{style}"/></w:rPr>' if style else ""
    return _copy(f"<w:r>{properties}{inside}</w:r>")


def _copy(xml: str) -> Element:
    """Copying an element (lxml's copies are deep) takes a third of the time of making one."""
    return copy(_parsed(xml))


@cache
def _parsed(xml: str) -> Element:
    """`xml` is ours: there are some thirty of them."""
    return cast("Element", parse_xml(f"<w:body {nsdecls('w')}>{xml}</w:body>")[0])
