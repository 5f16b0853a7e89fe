"""The way to a file: a signed URL, for a while."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from export_service.exports.maker import ExportMaker

PATH = "/api/v1/exports"
Start = Callable[..., Awaitable[ObjectId]]


async def test_a_url_downloads_the_file_until_it_expires_and_then_download_gives_a_fresh_one(
    short_lived: None, start: Start, api: httpx.AsyncClient, maker: ExportMaker, bucket: Any, gateway: httpx.AsyncClient
) -> None:
    export_id = await start()
    await maker.run(export_id)
    export = (await api.get(f"{PATH}/{export_id}")).json()
    file = bucket.of(export_id)[0].body
    before = await gateway.get(export["downloadUrl"])
    assert (before.status_code, before.content) == (200, file)
    # S3 counts whole seconds and lets a URL work to the end of the last one.
    expires_at = datetime.fromisoformat(export["expiresAt"]).replace(microsecond=0) + timedelta(seconds=1)
    await asyncio.sleep((expires_at - datetime.now(UTC)).total_seconds())
    assert (await gateway.get(export["downloadUrl"])).status_code == 403
    redirect = await api.get(f"{PATH}/{export_id}/download")
    assert redirect.status_code == 307
    after = await gateway.get(redirect.headers["location"])
    assert (after.status_code, after.content) == (200, file)


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs of this test work for a second."""
    monkeypatch.setenv("EXPORT_URL_TTL_SECONDS", "1")


async def test_the_end_that_is_told_is_the_one_that_is_signed(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker
) -> None:
    export_id = await start()
    await maker.run(export_id)
    export = (await api.get(f"{PATH}/{export_id}")).json()
    signed = httpx.URL(export["downloadUrl"]).params
    assert signed["X-Amz-Expires"] == "3600"
    since = datetime.strptime(signed["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    told = datetime.fromisoformat(export["expiresAt"])
    assert abs(told - since - timedelta(hours=1)) <= timedelta(seconds=1)


async def test_without_a_signature_there_is_no_way_to_the_files(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, gateway: httpx.AsyncClient
) -> None:
    export_id = await start()
    await maker.run(export_id)
    url = httpx.URL((await api.get(f"{PATH}/{export_id}")).json()["downloadUrl"])
    assert (await gateway.get(url.copy_with(query=None))).status_code == 403
    assert (await gateway.get(f"{os.environ['S3_ENDPOINT']}/{os.environ['S3_BUCKET']}?list-type=2")).status_code == 403
    other = str(url).replace(str(export_id), str(ObjectId()))
    assert (await gateway.get(other)).status_code == 403


async def test_a_url_downloads_and_does_nothing_else(
    start: Start, api: httpx.AsyncClient, maker: ExportMaker, bucket: Any, gateway: httpx.AsyncClient
) -> None:
    export_id = await start()
    await maker.run(export_id)
    url = (await api.get(f"{PATH}/{export_id}")).json()["downloadUrl"]
    assert (await gateway.put(url, content=b"another file")).status_code == 403
    assert (await gateway.delete(url)).status_code == 403
    assert bucket.of(export_id)[0].body != b"another file"
