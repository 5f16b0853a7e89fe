"""Files in the real S3, and the signed URLs that hand them out."""

import asyncio
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intervai_shared.settings import ServiceSettings
from intervai_shared.storage import (
    FileChangedError,
    FileStorage,
    SignedUpload,
    StorageError,
    StorageSettings,
    content_disposition,
)


@pytest.fixture
def storage_settings(settings: ServiceSettings) -> StorageSettings:
    return StorageSettings(service=settings.service)


@pytest.fixture
def storage(storage_settings: StorageSettings) -> FileStorage:
    return FileStorage(storage_settings)


@pytest.fixture
async def key(storage: FileStorage) -> AsyncIterator[str]:
    name = f"tests/{secrets.token_hex(8)}.pdf"
    yield name
    await storage.delete(name)


async def fetch(url: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.get(url)


async def test_what_is_put_is_downloaded_by_a_signed_url_byte_by_byte(storage: FileStorage, key: str) -> None:
    content = secrets.token_bytes(100_000)
    await storage.put(key, content, "application/pdf", "my interview.pdf")
    url, _ = storage.signed_url(key, 60)
    answer = await fetch(url)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="my interview.pdf"')


async def test_a_url_says_when_it_ends_and_works_no_longer_then(storage: FileStorage, key: str) -> None:
    await storage.put(key, b"x", "text/plain", "x.txt")
    url, expires_at = storage.signed_url(key, 1)
    assert abs(expires_at - datetime.now(UTC) - timedelta(seconds=1)) < timedelta(seconds=1)
    await asyncio.sleep(2)
    answer = await fetch(url)
    assert answer.status_code == 403


async def test_a_url_opens_no_other_file_and_no_file_opens_without_one(storage: FileStorage, key: str) -> None:
    await storage.put(key, b"x", "text/plain", "x.txt")
    url, _ = storage.signed_url(f"{key}.other", 60)
    for stranger in (url.replace(f"{key}.other", key), url.split("?")[0].removesuffix(".other")):
        assert (await fetch(stranger)).status_code == 403


async def test_a_second_put_replaces_the_file(storage: FileStorage, key: str) -> None:
    for content in (b"first", b"second"):
        await storage.put(key, content, "text/plain", "x.txt")
    assert (await fetch(storage.signed_url(key, 60)[0])).content == b"second"


async def test_a_deleted_file_is_gone_and_deleting_it_again_is_no_error(storage: FileStorage, key: str) -> None:
    await storage.put(key, b"x", "text/plain", "x.txt")
    await storage.delete(key)
    await storage.delete(key)
    assert (await fetch(storage.signed_url(key, 60)[0])).status_code == 404


async def test_urls_are_signed_for_the_address_that_clients_see(storage_settings: StorageSettings, key: str) -> None:
    public = storage_settings.model_copy(update={"s3_public_endpoint": "https://files.example:8443"})
    url, _ = FileStorage(public).signed_url(key, 60)
    assert urlsplit(url)[:3] == ("https", "files.example:8443", f"/{storage_settings.s3_bucket}/{key}")


async def test_a_bucket_that_is_not_there_or_not_reachable_is_a_storage_error(
    storage_settings: StorageSettings, storage: FileStorage
) -> None:
    await storage.check()
    unreachable = FileStorage(storage_settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"}))
    no_bucket = FileStorage(storage_settings.model_copy(update={"s3_bucket": f"none-{secrets.token_hex(4)}"}))
    for call in (no_bucket.check(), unreachable.check(), unreachable.put("x", b"x", "text/plain", "x.txt")):
        with pytest.raises(StorageError):
            await call


@pytest.mark.parametrize(
    "name",
    [
        "Gespräch über Größe.pdf",
        "面接の質問.pdf",
        'a"; filename="evil.exe',
        "a\\b/../c.pdf",
        "a\r\nSet-Cookie: x=1\r\n\r\n<script>.pdf",
        "tab\tnul\x00.pdf",
        "100%41.pdf",
    ],
)
async def test_any_file_name_arrives_as_it_was(storage: FileStorage, key: str, name: str) -> None:
    await storage.put(key, b"x", "text/plain", name)
    answer = await fetch(storage.signed_url(key, 60)[0])
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert parsed(answer.headers["Content-Disposition"]) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_header_of_any_name_is_one_attachment_in_printable_ascii(name: str) -> None:
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert re.fullmatch(r"""attachment; filename="[^"\\%]*"; filename\*=UTF-8''[\w.~%-]*""", header)
    assert parsed(header) == name


def parsed(header: str) -> str:
    """The file name that clients of RFC 6266 take."""
    return unquote(header.rpartition("; filename*=UTF-8''")[2])


def of_form(upload: SignedUpload, content: bytes, **changed: str) -> httpx.Request:
    fields = upload.fields | {name.replace("_", "-"): value for name, value in changed.items()}
    return httpx.Request("POST", upload.url, data=fields, files={"file": ("x", content)})


async def sent(request: httpx.Request) -> int:
    async with httpx.AsyncClient() as http:
        return (await http.send(request)).status_code


async def test_a_form_uploads_one_file_of_one_type_and_not_more_than_it_may(storage: FileStorage, key: str) -> None:
    await storage.load()
    upload = storage.signed_upload(key, "image/png", 100, 60)
    refused = [
        of_form(upload, b"x" * 101),
        of_form(upload, b""),
        of_form(upload, b"x", Content_Type="text/html"),
        of_form(upload, b"x", key=f"{key}.other"),
    ]
    assert {await sent(request) for request in refused} <= {400, 403}
    assert await storage.head(key) is None
    assert await sent(of_form(upload, b"x" * 100)) in {200, 204}
    head = await storage.head(key)
    assert head is not None
    assert (head.size_bytes, head.media_type) == (100, "image/png")


async def test_a_form_says_when_it_ends_and_works_no_longer_then(storage: FileStorage, key: str) -> None:
    upload = storage.signed_upload(key, "image/png", 100, 1)
    assert abs(upload.expires_at - datetime.now(UTC) - timedelta(seconds=1)) < timedelta(seconds=1)
    await asyncio.sleep(2.5)
    assert await sent(of_form(upload, b"x")) == 403
    assert await storage.head(key) is None


async def test_a_copy_is_of_the_version_that_was_looked_at_and_keeps_only_its_content(
    storage: FileStorage, key: str
) -> None:
    await storage.put(key, b"first version", "text/html", "evil.html")
    head = await storage.head(key)
    assert head is not None
    assert await storage.first_bytes(key, 5, head.etag) == b"first"
    await storage.copy(key, f"{key}.copy", head.etag, "image/png")
    answer = await fetch(storage.signed_url(f"{key}.copy", 60)[0])
    assert (answer.content, answer.headers["Content-Type"]) == (b"first version", "image/png")
    assert "Content-Disposition" not in answer.headers
    await storage.put(key, b"another", "text/plain", "x.txt")
    with pytest.raises(FileChangedError):
        await storage.first_bytes(key, 5, head.etag)
    with pytest.raises(FileChangedError):
        await storage.copy(key, f"{key}.copy", head.etag, "image/png")
    assert (await fetch(storage.signed_url(f"{key}.copy", 60)[0])).content == b"first version"
    await storage.delete(f"{key}.copy")
    with pytest.raises(FileChangedError):
        await storage.first_bytes(f"{key}.copy", 5, head.etag)


async def test_nothing_lies_where_nothing_was_put_but_an_outage_is_not_nothing(
    storage: FileStorage, storage_settings: StorageSettings, key: str
) -> None:
    assert await storage.head(key) is None
    unreachable = FileStorage(storage_settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"}))
    for call in (unreachable.head(key), unreachable.first_bytes(key, 1, "x"), unreachable.copy(key, key, "x", "x/y")):
        with pytest.raises(StorageError):
            await call


async def test_the_client_is_loaded_with_the_first_file_and_not_before() -> None:
    """It is 25 MB, and a fifth of a second."""
    code = (
        "import sys; from intervai_shared.storage import FileStorage, StorageSettings;"
        "storage = FileStorage(StorageSettings(service='probe'));"
        "assert not {'boto3', 'botocore'} & sys.modules.keys();"
        "storage.signed_url('x', 60); assert 'boto3' in sys.modules"
    )
    environment = {**os.environ, "MONGO_DATABASE": "probe", "SERVICE_CLIENT_ID": "x", "SERVICE_CLIENT_SECRET": "x"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
