"""Files of résumés, made on the fly, and the way that one goes: form, S3, job."""

import io
import os
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import boto3
import docx
import httpx
import pypdf
import pytest
from bson import ObjectId

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.resumes.files import key_of
from qa_service.resumes.schemas import DOCX
from qa_service.worker import QaWorker

PATH = "/api/v1/resumes"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PDF = "application/pdf"


class Bucket:
    """The suite's bucket, seen from outside."""

    def __init__(self) -> None:
        access, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        self._name = os.environ["S3_BUCKET"]
        self._client = boto3.client(
            "s3",
            endpoint_url=os.environ["S3_ENDPOINT"],
            region_name="us-east-1",
            aws_access_key_id=access,
            aws_secret_access_key=secret,
        )

    def has(self, key: str) -> bool:
        return bool(self._client.list_objects_v2(Bucket=self._name, Prefix=key)["KeyCount"])

    def put(self, key: str, content: bytes, media_type: str) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=content, ContentType=media_type)

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._name, Key=key)


@pytest.fixture(scope="session")
def s3() -> Bucket:
    return Bucket()


@pytest.fixture
async def files(container: QaContainer, s3: Bucket) -> AsyncIterator[None]:
    """Nothing of the test stays in S3."""
    yield
    async for resume in container.resources.mongo.db.resumes.find():
        s3.remove(key_of(resume))


class Made:
    """Makes files."""

    @staticmethod
    def pdf(*pages: str, repeated: int = 1) -> bytes:
        """A PDF with these pages; `repeated`: the whole of them so many times."""
        objects = [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"",
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        ]
        kids = []
        for text in pages:
            stream = b"BT /F1 12 Tf 50 700 Td (%s) Tj ET" % text.encode("cp1252")
            objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
            content = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R" % len(objects)
            objects.append(content + b"/Resources<</Font<</F1 3 0 R>>>>>>")
            kids.append(b"%d 0 R" % len(objects))
        kids *= repeated
        objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), len(kids))
        return _assembled(objects)

    @staticmethod
    def encrypted_pdf(password: str) -> bytes:
        """As above, behind a password; an empty one only forbids changes."""
        writer = pypdf.PdfWriter(clone_from=io.BytesIO(Made.pdf("Behind it.")))
        writer.encrypt(password, owner_password="other", algorithm="RC4-128")
        file = io.BytesIO()
        writer.write(file)
        return file.getvalue()

    @staticmethod
    def docx(*paragraphs: str, cell: str = "") -> bytes:
        """A document with paragraphs, and a table of one cell."""
        document = docx.Document()
        for text in paragraphs:
            document.add_paragraph(text)
        if cell:
            document.add_table(1, 1).cell(0, 0).text = cell
        file = io.BytesIO()
        document.save(file)
        return file.getvalue()

    @staticmethod
    def docx_of(body: bytes) -> bytes:
        """A document whose main part is this."""
        file = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(Made.docx("x"))) as whole,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as changed,
        ):
            for part in whole.infolist():
                is_main = part.filename == "word/document.xml"
                changed.writestr(part.filename, body if is_main else whole.read(part))
        return file.getvalue()


def _assembled(objects: list[bytes]) -> bytes:
    file, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(file))
    return file + head + table + trailer


@pytest.fixture
def made() -> type[Made]:
    return Made


@pytest.fixture
def upload(http: httpx.AsyncClient, files: None) -> Callable[..., Awaitable[str]]:
    """Uploads a file by the form that there is for it; the id of the upload."""

    async def call(content: bytes, media_type: str = PDF, **wanted: Any) -> str:
        body = {"contentType": media_type, "sizeBytes": len(content), "fileName": "cv.pdf", **wanted}
        answer = await http.post(f"{PATH}/uploads", json=body)
        assert answer.status_code == 201, answer.text
        form = answer.json()
        async with httpx.AsyncClient(verify=False) as browser:
            sent = await browser.post(form["url"], data=form["fields"], files={"file": ("cv", content)})
        assert sent.is_success, sent.text
        return str(form["uploadId"])

    return call


@pytest.fixture
def read(http: httpx.AsyncClient, worker: QaWorker) -> Callable[[str], Awaitable[Document]]:
    """Has an upload read; the job as its owner sees it at its end."""

    async def call(upload_id: str) -> Document:
        started = await http.post(PATH, json={"uploadId": upload_id})
        assert started.status_code == 202, started.text
        assert started.json()["resumeId"] == upload_id
        await worker.work.run(ObjectId(started.json()["jobId"]))
        return dict((await http.get(f"/api/v1/jobs/{started.json()['jobId']}")).json())

    return call


@pytest.fixture
def media_types() -> dict[str, str]:
    return {"pdf": PDF, "docx": DOCX, "txt": "text/plain"}
