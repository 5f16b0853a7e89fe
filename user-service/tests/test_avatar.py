"""Promises of an avatar: what was uploaded is looked at, kept where no form reaches it, shown, replaced, removed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.models import utc_now
from intervai_shared.mongo import Database
from intervai_shared.testing import NewPerson, Person
from user_service.avatars.service import key_of, upload_key_of
from user_service.container import UserContainer

ME = "/api/v1/users/me"
PATH = f"{ME}/avatar"
Send = Callable[..., Awaitable[httpx.Response]]
Upload = Callable[..., Awaitable[dict[str, Any]]]
pytestmark = pytest.mark.usefixtures("avatar_files", "with_profile")


@pytest.fixture
def upload(http: httpx.AsyncClient, send_form: Send) -> Upload:
    """Uploads a file that is said to be of a type; the answer of the start."""

    async def send(content: bytes, media_type: str = "image/png") -> dict[str, Any]:
        answer = await http.post(PATH, json={"contentType": media_type, "sizeBytes": len(content)})
        assert (await send_form(answer.json(), content)).is_success
        return dict(answer.json())

    return send


@pytest.fixture
def choose(http: httpx.AsyncClient) -> Callable[[dict[str, Any]], Awaitable[httpx.Response]]:
    async def put(started: dict[str, Any]) -> httpx.Response:
        return await http.put(PATH, json={"uploadId": started["uploadId"]})

    return put


async def fetched(url: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=False) as anybody:  # noqa: S501  plain HTTP
        return await anybody.get(url)


async def record(database: Database, started: dict[str, Any]) -> dict[str, Any]:
    found = await database.avatars.find_one({"_id": ObjectId(started["uploadId"])})
    assert found is not None
    return found


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp"])
async def test_a_picture_becomes_the_avatar_and_everybody_with_its_url_sees_it(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, media_type: str
) -> None:
    content = picture(media_type)
    answer = await choose(await upload(content, media_type))
    assert answer.status_code == 200
    for profile in (answer.json(), (await http.get(ME)).json(), (await http.get(ME)).json()):
        shown = await fetched(profile["avatarUrl"])
        assert (shown.status_code, shown.content, shown.headers["content-type"]) == (200, content, media_type)
    bare = answer.json()["avatarUrl"].split("?")[0]
    assert (await fetched(bare)).status_code == 403


@pytest.mark.parametrize(
    ("really", "said"),
    [
        ("image/svg+xml", "image/png"),
        ("text/html", "image/png"),
        ("text/html", "image/jpeg"),
        ("image/png", "image/jpeg"),
        ("image/jpeg", "image/webp"),
    ],
)
async def test_what_is_no_picture_of_the_type_that_was_said_is_refused_and_removed(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, s3: Any, really: str, said: str
) -> None:
    started = await upload(picture(really), said)
    answer = await choose(started)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "uploadId", "message": f"what was uploaded is no {said}"}]
    assert s3.object(started["fields"]["key"]) is None
    assert (await http.get(ME)).json()["avatarUrl"] is None
    assert (await choose(started)).status_code == 404


async def test_an_object_of_another_type_or_size_is_refused_however_it_came_there(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, s3: Any
) -> None:
    for content, media_type in ((picture("image/png") + b"x", "image/png"), (picture("image/png"), "text/html")):
        started = await upload(picture("image/png"))
        s3.put(started["fields"]["key"], content, media_type)
        assert (await choose(started)).status_code == 422


async def test_a_form_that_still_works_does_not_reach_the_avatar(
    upload: Upload, choose: Any, picture: Any, send_form: Send
) -> None:
    started = await upload(content := picture("image/png"))
    url = (await choose(started)).json()["avatarUrl"]
    assert (await send_form(started, picture("text/html")[: len(content)])).is_success
    assert (await fetched(url)).content == content


async def test_what_is_replaced_while_it_is_looked_at_is_not_taken(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, send_form: Send,
    user_app: tuple[httpx.AsyncClient, UserContainer], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    storage = user_app[1].storage
    started = await upload(content := picture("image/png"))
    look = storage.first_bytes

    async def look_then_replace(*arguments: Any) -> bytes:
        seen = await look(*arguments)
        await send_form(started, picture("text/html")[: len(content)])
        return seen

    with monkeypatch.context() as patch:
        patch.setattr(storage, "first_bytes", look_then_replace)
        assert (await choose(started)).status_code == 409
    assert (await http.get(ME)).json()["avatarUrl"] is None
    await send_form(started, content)
    assert (await choose(started)).status_code == 200


async def test_choosing_again_changes_nothing(upload: Upload, choose: Any, picture: Any) -> None:
    started = await upload(content := picture("image/png"))
    assert (await choose(started)).status_code == 200
    again = await choose(started)
    assert again.status_code == 200
    assert (await fetched(again.json()["avatarUrl"])).content == content


async def test_a_new_one_replaces_the_former_whose_file_goes(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, s3: Any, database: Database
) -> None:
    first, second = [await upload(picture("image/png")) for _ in range(2)]
    await choose(first)
    await choose(second)
    for started, stays in ((first, False), (second, True)):
        file = await record(database, started)
        assert (s3.object(key_of(file)) is not None) is stays
        assert s3.object(upload_key_of(file)) is None
        assert file["state"] == ("current" if stays else "discarded")
    assert (await choose(first)).status_code == 404
    assert (await http.get(ME)).json()["avatarUrl"]


async def test_of_several_that_are_chosen_at_once_one_is_the_avatar_and_has_a_file(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, s3: Any, database: Database, person: Person
) -> None:
    started = [await upload(picture("image/png")) for _ in range(4)]
    answers = await asyncio.gather(*(choose(one) for one in started))
    assert {answer.status_code for answer in answers} == {200}
    [current] = await database.avatars.find({"state": "current"}).to_list()
    profile = await database.profiles.find_one({"_id": person.id})
    assert profile is not None
    assert profile["avatarKey"] == key_of(current)
    assert (await fetched((await http.get(ME)).json()["avatarUrl"])).status_code == 200


async def test_a_removed_avatar_is_gone_from_the_profile_and_from_s3(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, s3: Any, database: Database
) -> None:
    started = await upload(picture("image/png"))
    url = (await choose(started)).json()["avatarUrl"]
    assert (await http.delete(PATH)).status_code == 204
    assert (await http.get(ME)).json()["avatarUrl"] is None
    assert (await fetched(url)).status_code == 404
    assert s3.object(key_of(await record(database, started))) is None
    assert (await http.delete(PATH)).status_code == 204


async def test_nothing_is_chosen_before_it_is_uploaded(http: httpx.AsyncClient, choose: Any) -> None:
    started = (await http.post(PATH, json={"contentType": "image/png", "sizeBytes": 10})).json()
    answer = await choose(started)
    assert (answer.status_code, answer.json()["detail"]) == (409, "Nothing has been uploaded yet.")


async def test_an_old_or_unknown_upload_is_not_found(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, database: Database
) -> None:
    started = await upload(picture("image/png"))
    long_ago = utc_now() - timedelta(minutes=31)
    await database.avatars.update_one({"_id": ObjectId(started["uploadId"])}, {"$set": {"createdAt": long_ago}})
    assert (await choose(started)).status_code == 404
    assert (await choose({"uploadId": str(ObjectId())})).status_code == 404
    for wrong in ("x", {"$ne": ""}, None):
        assert (await choose({"uploadId": wrong})).status_code == 422


async def test_the_upload_of_another_does_not_exist(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, new_person: NewPerson
) -> None:
    started = await upload(picture("image/png"))
    stranger = {"Authorization": f"Bearer {(await new_person()).tokens['accessToken']}"}
    answer = await http.put(PATH, json={"uploadId": started["uploadId"]}, headers=stranger)
    assert answer.status_code == 404
    assert (await choose(started)).status_code == 200


async def test_a_signed_url_is_in_no_cache_and_a_cached_profile_still_has_a_fresh_one(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any, person: Person,
    user_app: tuple[httpx.AsyncClient, UserContainer],
) -> None:  # fmt: skip
    await choose(await upload(picture("image/png")))
    await http.get(ME)
    redis = user_app[1].resources.redis
    cached = await redis.get(f"profile:{person.id}")
    assert cached
    assert b"Amz" not in cached
    assert b"http" not in cached
    first = (await http.get(ME)).json()["avatarUrl"]
    await asyncio.sleep(1.1)  # a signature is of its second
    assert (await http.get(ME)).json()["avatarUrl"] != first


async def test_an_avatar_that_is_set_or_removed_is_seen_by_the_next_read(
    http: httpx.AsyncClient, upload: Upload, choose: Any, picture: Any
) -> None:
    assert (await http.get(ME)).json()["avatarUrl"] is None
    await choose(await upload(picture("image/png")))
    assert (await http.get(ME)).json()["avatarUrl"]
    await http.delete(PATH)
    assert (await http.get(ME)).json()["avatarUrl"] is None
