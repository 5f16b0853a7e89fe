"""The text of a file that a stranger made. Runs in a process of its own, see `process`; the libraries are imported
when a file needs them. Pure: bytes in, text out."""

import io
import re
import zipfile

from qa_service.resumes.limits import (
    DAMAGED,
    EMPTY,
    ENCRYPTED,
    LONG,
    MOST_CHARACTERS,
    MOST_PAGES,
    MOST_PARTS,
    MOST_UNPACKED_BYTES,
    UNPACKED,
    WRONG_TYPE,
    UnreadableError,
)

#: Everything below a space but tab and line feed, and what is no character at all.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SPACES = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def pdf_text(content: bytes) -> str:
    """Raises UnreadableError, and what pypdf raises on a damaged file."""
    import pypdf  # noqa: PLC0415  20 MB that only this kind needs

    if b"%PDF-" not in content[:1024]:
        raise UnreadableError(WRONG_TYPE)
    reader = pypdf.PdfReader(io.BytesIO(content))
    # Many are encrypted with an empty password, only so that they cannot be changed.
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError(ENCRYPTED)
    pages: list[str] = []
    if len(reader.pages) > MOST_PAGES:
        raise UnreadableError(LONG)
    for page in reader.pages:
        pages.append(page.extract_text())
        if sum(map(len, pages)) > 2 * MOST_CHARACTERS:
            break
    return "\n\n".join(pages)


def docx_text(content: bytes) -> str:
    """Raises UnreadableError, and what python-docx raises on a damaged file."""
    _check_zip(content)
    import docx  # noqa: PLC0415  as above, with lxml
    from docx.oxml.ns import qn  # noqa: PLC0415

    body = docx.Document(io.BytesIO(content)).element.body
    # Also those in tables and text boxes, which résumés are made of. A box is there twice: once for old programs.
    paragraphs = (one for one in body.iter(qn("w:p")) if next(one.iterancestors(_FALLBACK), None) is None)
    return "\n".join(paragraph.text for paragraph in paragraphs)


def plain_text(content: bytes) -> str:
    """UTF-8, UTF-16 or else Latin-1, by what fits. Raises UnreadableError when it is no text."""
    text = content.decode(_encoding(content), "replace")
    if "\x00" in text:
        raise UnreadableError(WRONG_TYPE)
    return text


def tidy(text: str) -> str:
    """Without control characters and needless blanks, `MOST_CHARACTERS` at most. Raises UnreadableError when nothing
    is left."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _EMPTY_LINES.sub("\n\n", _SPACES.sub(" ", text)).strip()
    if not any(char.isalnum() for char in text):
        raise UnreadableError(EMPTY)
    return text[:MOST_CHARACTERS].rstrip()


def _check_zip(content: bytes) -> None:
    """A small file can say that it is a large one; what it says binds `zipfile`, which unpacks no more."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        # Word keeps what is encrypted, and files of before 2007, in another container.
        is_ole = content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
        raise UnreadableError(ENCRYPTED if is_ole else WRONG_TYPE) from error
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED_BYTES:
        raise UnreadableError(UNPACKED)
    if "word/document.xml" not in {part.filename for part in parts}:
        raise UnreadableError(WRONG_TYPE)
    if any(part.flag_bits & 1 for part in parts):
        raise UnreadableError(DAMAGED)


def _encoding(content: bytes) -> str:
    for bom, encoding in _BOMS.items():
        if content.startswith(bom):
            return encoding
    zeros = content[:2000].count(0)
    if zeros * 4 > len(content[:2000]):  # most characters of European texts have a zero byte in UTF-16
        return "utf-16-be" if content[:2000:2].count(0) > zeros / 2 else "utf-16-le"
    try:
        content.decode()
    except UnicodeDecodeError:
        return "cp1252"  # what calls itself Latin-1 is mostly this: https://encoding.spec.whatwg.org/#names-and-labels
    return "utf-8"
