"""Files in the real S3, and the signed URLs that hand them out."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intervai_shared.settings import ServiceSettings
from intervai_shared.storage import FileStorage, StorageError, StorageSettings, content_disposition


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
