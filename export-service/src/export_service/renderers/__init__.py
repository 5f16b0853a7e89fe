"""A renderer turns the content of a session into the bytes of a file. Pure: no I/O, no clock."""

from collections.abc import Callable
from dataclasses import dataclass

from export_service.renderers.anki import render_anki
from export_service.renderers.content import Content
from export_service.renderers.csv_file import render_csv
from export_service.renderers.docx_file import render_docx
from export_service.renderers.json_file import render_json
from export_service.renderers.markdown import render_markdown
from export_service.renderers.pdf import render_pdf


@dataclass(frozen=True)
class Renderer:
    """How to make one format."""

    render: Callable[[Content], bytes]
    media_type: str
    extension: str


RENDERERS = {
    "pdf": Renderer(render_pdf, "application/pdf", "pdf"),
    "docx": Renderer(render_docx, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    "md": Renderer(render_markdown, "text/markdown; charset=utf-8", "md"),
    "csv": Renderer(render_csv, "text/csv; charset=utf-8", "csv"),
    "json": Renderer(render_json, "application/json", "json"),
    "apkg": Renderer(render_anki, "application/octet-stream", "apkg"),
}


def render(kind: str, content: Content) -> bytes:
    """The file of a format. Raises KeyError on an unknown one, and what its renderer raises."""
    return RENDERERS[kind].render(content)
