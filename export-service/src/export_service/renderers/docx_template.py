"""The empty document that an interview is written into: parts, styles, list, footer, page."""

import io
from functools import cache
from pathlib import Path

import docx
from docx.document import Document
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.rel import Relationships
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm

from export_service.renderers.content import Content
from export_service.renderers.docx_language import east_asian_language
from export_service.renderers.docx_xml import Element, field, field_end, run

_STYLES = Path(__file__).with_name("docx_styles.xml").read_bytes()
#: Of python-docx's template this stays, as Word wants to see it; the rest is a preview picture and 160 styles that
#: nothing uses, twice.
_PARTS = {
    getattr(RELATIONSHIP_TYPE, name)
    for name in (
        "OFFICE_DOCUMENT",
        "CORE_PROPERTIES",
        "STYLES",
        "NUMBERING",
        "SETTINGS",
        "FONT_TABLE",
        "THEME",
        "FOOTER",
    )
}
_BULLETS = f"""<w:numbering {nsdecls("w")}>
  <w:abstractNum w:abstractNumId="0">
    <w:multiLevelType w:val="singleLevel"/>
    <w:lvl w:ilvl="0">
      <w:start w:val="1"/><w:numFmt w:val="bullet"/><w:pStyle w:val="ListBullet"/><w:lvlText w:val="•"/>
      <w:lvlJc w:val="left"/>
      <w:pPr><w:ind w:left="340" w:hanging="255"/></w:pPr><w:rPr><w:color w:val="2F5D8A"/></w:rPr>
    </w:lvl>
  </w:abstractNum>
  <w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>
</w:numbering>"""
#: Mode 15 is Word 2013 and later: older ones are opened with
#: reduced functions.
_SETTINGS = f"""<w:settings {nsdecls("w")}>
  <w:characterSpacingControl w:val="doNotCompress"/>
  <w:compat>
    <w:compatSetting w:name="compatibilityMode" w:uri="http://schemas.microsoft.com/office/word" w:val="15"/>
  </w:compat>
  <w:decimalSymbol w:val="."/>
  <w:listSeparator w:val=","/>
</w:settings>"""
_PAPERS = {"a4": (Mm(210), Mm(297)), "letter": (Mm(215.9), Mm(279.4))}
_LANGUAGES = {"en": "en-GB", "de": "de-DE", "fr": "fr-FR", "es": "es-ES", "ja": "en-US"}
#: By language: Word's font for it.
_EAST_ASIAN_FONTS = {"ja-JP": "Yu Gothic", "ko-KR": "Malgun Gothic", "zh-CN": "Microsoft YaHei"}


def new_document(content: Content) -> Document:
    """An empty document on the paper and in the languages of the content."""
    document = docx.Document(io.BytesIO(_template()))
    section = document.sections[0]
    section.page_width, section.page_height = _PAPERS[content.layout.paper]
    defaults = document.styles.element[0]
    language = east_asian_language(content)
    # w:rFonts (ECMA-376 part 1, 17.3.2.26) and w:lang (17.3.2.20) of what has no style of its own.
    (fonts,), (languages,) = defaults.iter(qn("w:rFonts")), defaults.iter(qn("w:lang"))
    fonts.set(qn("w:eastAsia"), _EAST_ASIAN_FONTS[language])
    languages.set(qn("w:eastAsia"), language)
    languages.set(qn("w:val"), _LANGUAGES[content.layout.locale])
    return document


@cache
def _template() -> bytes:
    document = docx.Document()
    _drop_others(document.part.package.rels)
    _drop_others(document.part.rels)
    for element, xml in (
        (document.styles.element, _STYLES),
        (document.part.numbering_part.element, _BULLETS),
        (document.settings.element, _SETTINGS),
    ):
        element[:] = parse_xml(xml)
    section = document.sections[0]
    section.left_margin = section.right_margin = Mm(24)
    section.top_margin, section.bottom_margin = Mm(22), Mm(24)
    section.footer_distance = Mm(12)
    footer = section.footer.part.element[0]
    footer.extend([*_page_field("PAGE"), run(" / "), *_page_field("NUMPAGES")])
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _page_field(instruction: str) -> list[Element]:
    """Word counts its pages anew whenever it shows them."""
    return [*field(instruction), run("1"), field_end()]


def _drop_others(relationships: Relationships) -> None:
    for key, relationship in tuple(relationships.items()):
        if relationship.reltype not in _PARTS:
            del relationships[key]
