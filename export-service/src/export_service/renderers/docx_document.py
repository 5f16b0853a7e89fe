"""The session as a Word document."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from docx.document import Document
from docx.oxml.ns import qn

from export_service.renderers.content import Content, Item
from export_service.renderers.docx_language import has_right_to_left, is_right_to_left
from export_service.renderers.docx_template import new_document
from export_service.renderers.docx_xml import (
    Element,
    bookmark,
    contents,
    field,
    field_end,
    line_break,
    lines_run,
    link,
    paragraph,
    run,
    turn_right_to_left,
    words_of,
    xml_text,
)
from export_service.renderers.labels import LABELS, date_of
from export_service.renderers.prose import Block, Code, Line, one_line, read_blocks, read_heading, read_line

#: What a core property may hold in python-docx.
_PROPERTY_CHARACTERS = 255
_CODE_STYLES = ("CodeBlock", "QuoteCode")


def document_of(content: Content) -> Document:
    """With headings of Word's own, so that its navigation pane and its table of contents know them."""
    document = new_document(content)
    _describe(document, content)
    last = document.element.body[-1]  # of what belongs to the page
    for element in _Writer(content).elements():
        last.addprevious(element)
    if has_right_to_left(content):
        _turn_paragraphs(document.element.body)
    return document


def _turn_paragraphs(body: Element) -> None:
    for found in body.iter(qn("w:p")):
        style = found[0][0].get(qn("w:val"))
        if style not in _CODE_STYLES and is_right_to_left(words_of(found)):
            turn_right_to_left(found)


def _describe(document: Document, content: Content) -> None:
    about = document.core_properties
    about.title = _property(content.title)
    about.subject = _property(f"{content.role}, {content.experience}")
    about.keywords = _property(", ".join(content.topics))
    about.author = about.last_modified_by = "InterVAI"
    about.comments = ""
    about.language = content.layout.locale
    about.created = about.modified = datetime.fromisoformat(content.created_at).astimezone(UTC)


def _property(text: str) -> str:
    return xml_text(one_line(text))[:_PROPERTY_CHARACTERS]


class _Writer:
    """The elements of the body, in their order. The bookmark of a question has its number, those of topics the ones
    after."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._labels = LABELS[content.layout.locale]

    def elements(self) -> Iterator[Element]:
        yield from self._title_block()
        if not self._content.items:
            yield paragraph("Normal", [run(self._labels.no_questions)])
            return
        yield self._contents()
        for mark, (category, items) in self._topics():
            yield paragraph("Heading1", bookmark(mark, [run(one_line(category))]))
            for number, item in items:
                yield from self._question(number, item)

    def _topics(self) -> Iterable[tuple[int, tuple[str, list[tuple[int, Item]]]]]:
        return enumerate(self._content.by_category().items(), start=len(self._content.items) + 1)

    def _title_block(self) -> Iterator[Element]:
        content, labels = self._content, self._labels
        yield paragraph("Title", [run(one_line(content.title))])
        yield paragraph("Subtitle", [run(f"{one_line(content.role)} · {one_line(content.experience)}")])
        if content.topics:
            yield paragraph("About", [run(", ".join(map(one_line, content.topics)))])
        facts = [date_of(content.created_at, content.layout.locale), labels.count(len(content.items))]
        if pinned := sum(item.is_pinned for item in content.items):
            facts.append(f"{labels.pinned}: {pinned}")
        yield paragraph("Facts", [run(" · ".join(facts))])

    def _contents(self) -> Element:
        """A field with its result already in it, but for the numbers of the pages, which only Word can know: whoever
        wants them updates the field. To mark it as out of date would not bring them, but a question at each opening
        whether to update fields 'that may refer to other files'."""
        entries = list(self._entries())
        entries[0][1:1] = field(r'TOC \o "1-2" \h')
        heading = paragraph("TOCHeading", [run(self._labels.contents)])
        return contents([heading, *entries, paragraph("TOC2", [field_end()])])

    def _entries(self) -> Iterator[Element]:
        for mark, (category, items) in self._topics():
            yield paragraph("TOC1", [link(mark, [run(one_line(category))])])
            for number, item in items:
                words = "".join(span.text for span in read_heading(item.text)[0])
                yield paragraph("TOC2", [link(number, [run(f"{number}. {words}")])])

    def _question(self, number: int, item: Item) -> Iterator[Element]:
        labels = self._labels
        heading, rest = read_heading(item.text)
        yield paragraph("Heading2", bookmark(number, [run(f"{number}.", "Accent"), run(" "), *_runs(heading)]))
        yield paragraph("Details", self._details(item))
        yield from _blocks([*rest, *read_blocks(item.answer)], "Normal", "CodeBlock")
        yield from _points(labels.key_points, item.key_points)
        yield from _points(labels.follow_ups, item.follow_ups)
        if notes := read_blocks(item.notes):
            yield paragraph("QuoteLabel", [run(labels.notes)])
            yield from _blocks(notes, "Quote", "QuoteCode")

    def _details(self, item: Item) -> Iterator[Element]:
        is_known = item.difficulty in self._labels.levels
        yield run(one_line(self._labels.level(item.difficulty)), item.difficulty.capitalize() if is_known else "")
        if item.is_pinned:
            yield run("   ")
            yield run(f"★ {self._labels.pinned}", "Accent")


def _points(label: str, values: Sequence[str]) -> Iterator[Element]:
    if values:
        yield paragraph("Label", [run(label)])
        for value in values:
            yield paragraph("ListBullet", _runs(read_line(value)))


def _blocks(blocks: Iterable[Block], text_style: str, code_style: str) -> Iterator[Element]:
    for block in blocks:
        if isinstance(block, Code):
            yield paragraph(code_style, [lines_run(block.text)])
        else:
            yield paragraph(text_style, _lines(block.lines))


def _lines(lines: Sequence[Line]) -> Iterator[Element]:
    for position, line in enumerate(lines):
        if position:
            yield line_break()
        yield from _runs(line)


def _runs(line: Line) -> Iterator[Element]:
    return (run(span.text, "CodeText" if span.is_code else "") for span in line)
