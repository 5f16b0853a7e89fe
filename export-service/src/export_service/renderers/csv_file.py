"""CSV (RFC 4180) for spreadsheets: one row a question. No cell is a formula, whatever people typed."""

import csv
import io
import re
import unicodedata

from export_service.renderers.content import Content, Item
from export_service.renderers.prose import printable

#: The columns, by the names of the API.
COLUMNS = (
    "sessionId",
    "id",
    "category",
    "difficulty",
    "isPinned",
    "text",
    "answer",
    "keyPoints",
    "followUps",
    "notes",
)
_BOM = b"\xef\xbb\xbf"
_LINE_BREAKS = re.compile(r"\r\n?|[\u2028\u2029]")
_SIGNS = frozenset("=+-@\t\r\n")
#: Quotes, which a spreadsheet may take off; the apostrophe is also the mark that we set.
_QUOTES = "\"'`\u00b4\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"


def render_csv(content: Content) -> bytes:
    """UTF-8 with CRLF between the rows and every cell in quotes; `content.layout.bom`: begins with EF BB BF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in content.items:
        writer.writerow([_cell(value) for value in _values(content.id, item)])
    return (_BOM if content.layout.bom else b"") + text.getvalue().encode()


def _values(session_id: str, item: Item) -> list[str]:
    """In the order of `COLUMNS`; a list has a line for each of its entries."""
    return [
        session_id,
        item.id,
        item.category,
        item.difficulty,
        "true" if item.is_pinned else "false",
        item.text,
        item.answer,
        "\n".join(item.key_points),
        "\n".join(item.follow_ups),
        item.notes,
    ]


def _cell(value: str) -> str:
    """Text without control characters, its lines apart by LF."""
    return defused(printable(_LINE_BREAKS.sub("\n", value)))


def defused(text: str) -> str:
    """With an apostrophe before what a spreadsheet could take for a formula: see OWASP, 'CSV Injection'
    (https://owasp.org/www-community/attacks/CSV_Injection). Taking one apostrophe off a cell whose rest is such a text
    gives back what was typed."""
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Whether a text begins with `= + - @`, tab, CR or LF, also in another width or after spaces, quotes and signs
    that are not seen."""
    first = next((char for char in text if not _is_passed_over(char)), "")
    return text.lstrip(_QUOTES)[:1] in _SIGNS or unicodedata.normalize("NFKC", first)[:1] in _SIGNS


def _is_passed_over(char: str) -> bool:
    """White space, control and format characters (Unicode general categories Z, Cc, Cf), and quotes."""
    return char in _QUOTES or unicodedata.category(char) in {"Zs", "Zl", "Zp", "Cc", "Cf"}
