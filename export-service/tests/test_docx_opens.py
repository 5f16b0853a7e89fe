"""The Word document in a word processor that is not ours: LibreOffice makes a PDF of it."""

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pypdf import PdfReader

from export_service.renderers.content import Content, Item
from export_service.renderers.docx_file import render_docx
from export_service.renderers.labels import LABELS

pytestmark = pytest.mark.skipif(
    shutil.which("soffice") is None, reason="LibreOffice (Debian: libreoffice-writer-nogui) is not installed here"
)

NewContent = Callable[..., Content]
#: What LibreOffice could take for markup, fields or parts of the XML.
HOSTILE = [
    "<b>bold</b><script>alert(1)</script>",
    "</w:t></w:r><w:p/>",
    '{ DDEAUTO c:\\x "y" } { PAGE }',
    "]]> &amp; &#65;",
    "a\x00b\x0bc\ud800d\ufffee",
    "x" * 400,
    "= { [ ( \\ '",
]


@pytest.fixture
def printed(tmp_path: Path) -> Callable[[dict[str, Content]], dict[str, str]]:
    """The text of the PDFs that LibreOffice makes of documents, by their names."""

    def convert(contents: dict[str, Content]) -> dict[str, str]:
        for name, content in contents.items():
            (tmp_path / f"{name}.docx").write_bytes(render_docx(content))
        profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
        files = [f"{name}.docx" for name in contents]
        command = ["soffice", profile, "--headless", "--convert-to", "pdf", *files]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=100)
        return {name: _text(tmp_path / f"{name}.pdf") for name in contents}

    return convert


def _text(pdf: Path) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.read_bytes())).pages)


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_a_plain_and_a_hostile_document_open_and_show_everything(
    printed: Callable[[dict[str, Content]], dict[str, str]], content: NewContent
) -> None:
    code = "```\ndef f():\n\treturn 1\n```"
    plain = content(is_pinned=True, difficulty="hard", answer=f"One\ntwo.\n{code}", locale="de", paper="letter")
    items = [
        Item(f"{n:024x}", text, f"{text}\n```\n{text}\n```", text, text, [text], [text], True, text)
        for n, text in enumerate(HOSTILE)
    ]
    hostile = content(title=HOSTILE[0], role=HOSTILE[1], experience=HOSTILE[2], topics=HOSTILE, items=items)
    texts = printed({"plain": plain, "hostile": hostile})

    labels = LABELS["de"]
    for words in (
        labels.contents,
        labels.key_points,
        labels.notes,
        "5. März 2026",
        "1. Question?",
        "1 / 1",
        "return 1",
    ):
        assert words.casefold() in texts["plain"].casefold()
    shown = squeezed(texts["hostile"])
    forbidden = str.maketrans({"\x00": "", "\x0b": "", "\ud800": "\ufffd", "\ufffe": "\ufffd"})
    # In the table of contents twice, and as heading, topic, answer, code, difficulty, point, follow-up and note.
    assert [text for text in HOSTILE if shown.count(squeezed(text.translate(forbidden))) < 9] == []
