"""An avatar while S3 is down, and the sweep that tidies up afterwards."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database
from intervai_shared.scheduling.scheduler import trigger_of
from intervai_shared.storage import StorageError
from intervai_shared.testing import Person
from user_service.avatars.service import key_of, upload_key_of
from user_service.avatars.tasks import sweep_avatars
from user_service.container import UserContainer
from user_service.worker import create_worker

ME = "/api/v1/users/me"
PATH = f"{ME}/avatar"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, UserContainer]]]
pytestmark = pytest.mark.usefixtures("avatar_files")


@pytest.fixture
async def without_s3(start: Start) -> tuple[httpx.AsyncClient, UserContainer]:
    """A process that S3 does not answer; clients reach it still."""
    return await start(S3_ENDPOINT="http://127.0.0.1:9")


@pytest.fixture
async def avatar(with_profile: httpx.AsyncClient, picture: Any, send_form: Any, database: Database) -> Document:
    """The record of the person's avatar."""
    content = picture("image/png")
    started = (await with_profile.post(PATH, json={"contentType": "image/png", "sizeBytes": len(content)})).json()
    await send_form(started, content)
    assert (await with_profile.put(PATH, json={"uploadId": started["uploadId"]})).status_code == 200
    found = await database.avatars.find_one({"_id": ObjectId(started["uploadId"])})
    assert found is not None
    return found


@pytest.fixture
def file(database: Database, person: Person, s3: Any) -> Callable[..., Awaitable[Document]]:
    """`file(state, age=…)`: a record of the person's, with both its files."""

    async def store(state: str, age: timedelta = timedelta(hours=2)) -> Document:
        made = {"_id": ObjectId(), "user": person.id, "name": ObjectId().binary.hex() * 2, "contentType": "image/png"}
        stored = {**made, "sizeBytes": 1, "state": state, "createdAt": utc_now() - age}
        await database.avatars.insert_one(stored)
        for key in (key_of(stored), upload_key_of(stored)):
            s3.put(key, b"x", "image/png")
        return stored

    return store


async def test_without_s3_the_profile_still_answers_with_a_url_that_works(
    avatar: Document, without_s3: tuple[httpx.AsyncClient, UserContainer]
) -> None:
    answer = await without_s3[0].get(ME)
    assert answer.status_code == 200
    async with httpx.AsyncClient(verify=False) as anybody:  # noqa: S501  plain HTTP
        assert (await anybody.get(answer.json()["avatarUrl"])).status_code == 200


async def test_without_s3_choosing_says_that_it_must_wait_and_works_later(
    with_profile: httpx.AsyncClient, without_s3: tuple[httpx.AsyncClient, UserContainer], picture: Any, send_form: Any
) -> None:
    content = picture("image/png")
    started = (await without_s3[0].post(PATH, json={"contentType": "image/png", "sizeBytes": len(content)})).json()
    refused = await without_s3[0].put(PATH, json={"uploadId": started["uploadId"]})
    assert (refused.status_code, refused.json()["detail"]) == (503, "Pictures cannot be taken now.")
    assert refused.headers["retry-after"]
    assert "127.0.0.1" not in refused.text
    await send_form({**started, "url": started["url"]}, content)
    assert (await with_profile.put(PATH, json={"uploadId": started["uploadId"]})).status_code == 200


async def test_without_s3_an_avatar_is_removed_at_once_and_its_file_by_the_sweep(
    avatar: Document,
    without_s3: tuple[httpx.AsyncClient, UserContainer],
    user_app: tuple[httpx.AsyncClient, UserContainer],
    database: Database,
    s3: Any,
) -> None:
    assert (await without_s3[0].delete(PATH)).status_code == 204
    assert (await without_s3[0].get(ME)).json()["avatarUrl"] is None
    assert s3.object(key_of(avatar)) is not None
    await database.avatars.update_one({"_id": avatar["_id"]}, {"$set": {"createdAt": utc_now() - timedelta(hours=2)}})
    with pytest.raises(StorageError):
        await sweep_avatars(without_s3[1])
    assert await database.avatars.count_documents({}) == 1
    await sweep_avatars(user_app[1])
    assert s3.object(key_of(avatar)) is None
    assert await database.avatars.count_documents({}) == 0


async def test_the_sweep_removes_what_nobody_chose_and_what_was_replaced_and_nothing_else(
    user_app: tuple[httpx.AsyncClient, UserContainer], file: Any, database: Database, s3: Any
) -> None:
    gone = [await file("uploading"), await file("discarded")]
    young = timedelta(minutes=59)
    stay = [await file("current"), await file("uploading", young), await file("discarded", young)]
    for _ in range(2):
        await sweep_avatars(user_app[1])
        for found, stays in [*((one, False) for one in gone), *((one, True) for one in stay)]:
            assert all((s3.object(key) is not None) is stays for key in (key_of(found), upload_key_of(found)))
    left: list[ObjectId] = await database.avatars.distinct("_id")
    assert set(left) == {one["_id"] for one in stay}


async def test_the_sweep_takes_many(
    user_app: tuple[httpx.AsyncClient, UserContainer], file: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("user_service.avatars.repository.BATCH", 2)
    for _ in range(5):
        await file("uploading")
    await sweep_avatars(user_app[1])
    assert await database.avatars.count_documents({}) == 0


async def test_the_worker_sweeps_every_hour(own_database: str) -> None:
    schedules = create_worker()._runtime.schedules
    assert str(trigger_of(schedules["sweep_avatars"]).fields[5]) == "*"


async def test_a_process_that_has_nothing_to_do_with_avatars_does_not_load_the_client_of_s3(
    with_profile: httpx.AsyncClient, person: Person
) -> None:
    """It is 25 MB."""
    code = """
import asyncio, sys
import user_service.worker
from intervai_shared.testing import running
from user_service.app import create_app
from user_service.avatars.tasks import sweep_avatars
async def main():
    app = create_app()
    async with running(app, sys.argv[1]) as client:
        assert (await client.get("/api/v1/users/me")).json()["fullName"] == "Ada Lovelace"
        assert (await client.get("/health/ready")).json()["status"] == "ready"
        await sweep_avatars(app.state.container)
    assert not {"boto3", "botocore"} & sys.modules.keys(), "loaded"
asyncio.run(main())
"""
    command = (sys.executable, "-c", code, person.tokens["accessToken"])
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
