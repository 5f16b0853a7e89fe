"""DOCX (ECMA-376), by python-docx."""

import io
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from export_service.renderers.content import Content


def render_docx(content: Content) -> bytes:
    """A document for Word and its like. The same content gives the same bytes: the document's date is the session's."""
    # Only the process that renders loads python-docx.
    from export_service.renderers.docx_document import document_of  # noqa: PLC0415

    written = io.BytesIO()
    document_of(content).save(written)
    return _without_times(written)


def _without_times(written: io.BytesIO) -> bytes:
    """The same archive; `ZipInfo` is of 1980 unless it is told otherwise, and python-docx's is of the moment."""
    file = io.BytesIO()
    with ZipFile(written) as source, ZipFile(file, "w") as target:
        for name in source.namelist():
            entry = ZipInfo(name)
            entry.compress_type = ZIP_DEFLATED
            target.writestr(entry, source.read(name))
    return file.getvalue()
