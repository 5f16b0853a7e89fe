"""A résumé's way: a form, the real S3, a job, a text; and the file is gone."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId
from fastapi import FastAPI

from intervai_shared.models import Document, utc_now
from intervai_shared.testing import NewPerson, Person, running
from qa_service.app import create_app
from qa_service.container import QaContainer
from qa_service.resumes import service
from qa_service.resumes.files import key_of
from qa_service.settings import QaSettings
from qa_service.worker import QaWorker

PATH = "/api/v1/resumes"
Upload = Callable[..., Awaitable[str]]
Read = Callable[[str], Awaitable[Document]]
Call = Callable[..., Awaitable[Any]]


async def stored(container: QaContainer, resume_id: str) -> Document:
    found = await container.resources.mongo.db.resumes.find_one({"_id": ObjectId(resume_id)})
    assert found is not None
    return found


async def test_an_uploaded_resume_becomes_text_and_its_file_goes(
    http: httpx.AsyncClient, upload: Upload, read: Read, made: Any, s3: Any, container: QaContainer
) -> None:
    file = made.pdf("Ada Lovelace", "Analyst")
    resume_id = await upload(file)
    assert s3.has(key_of(await stored(container, resume_id)))
    assert (await http.get(PATH)).json()["items"] == []
    assert (await http.get(f"{PATH}/{resume_id}")).status_code == 404
    job = await read(resume_id)
    assert (job["kind"], job["status"], job["result"]) == (
        "resume",
        "succeeded",
        {"resumeId": resume_id, "characters": 21},
    )
    resume = (await http.get(f"{PATH}/{resume_id}")).json()
    assert (resume.pop("text"), resume["fileName"]) == ("Ada Lovelace\n\nAnalyst", "cv.pdf")
    assert (resume["contentType"], resume["sizeBytes"], resume["characters"]) == ("application/pdf", len(file), 21)
    assert (await http.get(PATH)).json() == {"items": [resume], "nextCursor": None}
    assert not s3.has(key_of(await stored(container, resume_id)))


@pytest.mark.parametrize("kind", ["docx", "txt"])
async def test_word_and_plain_text_go_the_same_way(
    kind: str, http: httpx.AsyncClient, upload: Upload, read: Read, made: Any, media_types: dict[str, str]
) -> None:
    content = {"docx": made.docx("Ada"), "txt": b"Ada"}[kind]
    resume_id = await upload(content, media_types[kind])
    assert (await read(resume_id))["status"] == "succeeded"
    assert (await http.get(f"{PATH}/{resume_id}")).json()["text"] == "Ada"


async def test_a_file_that_cannot_be_read_says_why_and_nothing_of_it_stays(
    http: httpx.AsyncClient, upload: Upload, read: Read, made: Any, s3: Any, container: QaContainer
) -> None:
    resume_id = await upload(made.encrypted_pdf("secret"), fileName="mine.pdf")
    job = await read(resume_id)
    expected = "The file is protected by a password. Please save it without one."
    assert (job["status"], job["error"]) == ("failed", expected)
    assert (await http.get(PATH)).json()["items"] == []
    left = await stored(container, resume_id)
    assert not s3.has(key_of(left))
    assert not left.keys() & {"text", "fileName"}
    assert (await http.post(PATH, json={"uploadId": resume_id})).status_code == 404


async def test_what_was_put_in_its_place_meanwhile_is_not_read(
    http: httpx.AsyncClient, upload: Upload, worker: QaWorker, made: Any, s3: Any, container: QaContainer
) -> None:
    resume_id = await upload(made.pdf("Mine"))
    job_id = (await http.post(PATH, json={"uploadId": resume_id})).json()["jobId"]
    s3.put(key_of(await stored(container, resume_id)), made.pdf("Other"), "application/pdf")
    await worker.work.run(ObjectId(job_id))
    job = (await http.get(f"/api/v1/jobs/{job_id}")).json()
    assert (job["status"], job["error"]) == (
        "failed",
        "The file was replaced before it was read. Please upload it again.",
    )


async def test_one_upload_is_read_by_one_job_however_often_it_is_asked_for(
    http: httpx.AsyncClient, upload: Upload, read: Read, made: Any, container: QaContainer
) -> None:
    resume_id = await upload(made.pdf("Ada"))
    first, second = [(await http.post(PATH, json={"uploadId": resume_id})).json() for _ in range(2)]
    assert first == second
    await read(resume_id)
    assert (await http.post(PATH, json={"uploadId": resume_id})).json() == first
    assert await container.resources.mongo.db.jobs.count_documents({}) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contentType": "image/png", "sizeBytes": 10}, "contentType"),
        ({"contentType": "application/pdf", "sizeBytes": 5 * 1_048_576 + 1}, "sizeBytes"),
        ({"contentType": "application/pdf", "sizeBytes": 0}, "sizeBytes"),
        ({"contentType": "application/pdf", "sizeBytes": 10, "fileName": "a\x00b"}, "fileName"),
    ],
)
async def test_a_form_is_made_for_what_is_read_only(http: httpx.AsyncClient, body: Document, field: str) -> None:
    answer = await http.post(f"{PATH}/uploads", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_nothing_is_read_before_it_is_there_or_when_it_is_old(
    http: httpx.AsyncClient, upload: Upload, made: Any, container: QaContainer
) -> None:
    form = (await http.post(f"{PATH}/uploads", json={"contentType": "text/plain", "sizeBytes": 3})).json()
    early = await http.post(PATH, json={"uploadId": form["uploadId"]})
    assert (early.status_code, early.json()["detail"]) == (409, "Nothing has been uploaded yet.")
    resume_id = await upload(made.pdf("Ada"))
    old = {"$set": {"createdAt": utc_now() - timedelta(minutes=31)}}
    await container.resources.mongo.db.resumes.update_one({"_id": ObjectId(resume_id)}, old)
    assert (await http.post(PATH, json={"uploadId": resume_id})).status_code == 404


async def test_a_session_keeps_the_text_of_its_resume_also_when_that_is_deleted(
    http: httpx.AsyncClient, upload: Upload, read: Read, made: Any, container: QaContainer
) -> None:
    resume_id, body = await upload(made.pdf("Ada")), {"role": "Cook", "experience": "new", "topics": []}
    wanted = {**body, "generate": False, "resumeId": resume_id}
    refused = await http.post("/api/v1/sessions", json=wanted)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "resumeId")
    await read(resume_id)
    session = (await http.post("/api/v1/sessions", json=wanted)).json()
    assert session["resumeId"] == resume_id
    assert (await http.delete(f"{PATH}/{resume_id}")).status_code == 204
    assert [(await http.get(f"{PATH}/{resume_id}")).status_code, (await http.get(PATH)).json()["items"]] == [404, []]
    sessions = container.resources.mongo.db.sessions
    assert (await sessions.find_one({}))["resumeText"] == "Ada"  # type: ignore[index]
    changed = await http.patch(f"/api/v1/sessions/{session['id']}", json={"resumeId": None})
    assert (changed.status_code, changed.json()["resumeId"]) == (200, None)
    assert (await sessions.find_one({}))["resumeText"] is None  # type: ignore[index]
    wrong = await http.patch(f"/api/v1/sessions/{session['id']}", json={"resumeId": resume_id})
    assert wrong.status_code == 422


async def test_anothers_resume_is_not_there(
    api: tuple[FastAPI, httpx.AsyncClient], upload: Upload, read: Read, made: Any, new_person: NewPerson
) -> None:
    resume_id = await upload(made.pdf("Ada"))
    await read(resume_id)
    headers = {"Authorization": f"Bearer {(await new_person()).tokens['accessToken']}"}
    body = {"role": "Cook", "experience": "new", "topics": [], "generate": False, "resumeId": resume_id}
    transport = httpx.ASGITransport(api[0])
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as stranger:
        answers = [
            await stranger.get(f"{PATH}/{resume_id}"),
            await stranger.delete(f"{PATH}/{resume_id}"),
            await stranger.post(PATH, json={"uploadId": resume_id}),
            await stranger.post("/api/v1/sessions", json=body),
        ]
        assert (await stranger.get(PATH)).json()["items"] == []
    assert [answer.status_code for answer in answers] == [404, 404, 404, 422]


async def test_the_sweep_removes_what_nobody_had_read_and_late_uploads_but_keeps_texts(
    http: httpx.AsyncClient, upload: Upload, read: Read, made: Any, s3: Any, container: QaContainer, worker: QaWorker
) -> None:
    kept, forgotten, young = [await upload(made.pdf(name)) for name in ("Kept", "Forgotten", "Young")]
    await read(kept)
    keys = {name: key_of(await stored(container, name)) for name in (kept, forgotten, young)}
    s3.put(keys[kept], b"late", "application/pdf")
    resumes = container.resources.mongo.db.resumes
    due = {"$set": {"sweepAt": utc_now() - timedelta(seconds=1)}}
    await resumes.update_many({"_id": {"$in": [ObjectId(kept), ObjectId(forgotten)]}}, due)
    for _ in range(2):
        await worker.resumes.run()
    assert {name: s3.has(key) for name, key in keys.items()} == {kept: False, forgotten: False, young: True}
    assert (await http.get(f"{PATH}/{kept}")).json()["text"] == "Kept"
    assert await resumes.count_documents({"_id": ObjectId(forgotten)}) == 0


async def test_the_erasure_of_a_person_takes_their_resumes_and_files(
    upload: Upload, read: Read, made: Any, s3: Any, container: QaContainer, worker: QaWorker, person: Person
) -> None:
    one, other = [await upload(made.pdf(name)) for name in ("One", "Other")]
    await read(one)
    key = key_of(await stored(container, other))
    assert s3.has(key)
    event = {"aggregateId": str(ObjectId()), "data": {"user": str(person.id)}}
    await container.resources.mongo.transaction(lambda session: worker.erasures.begin(event, session))
    await worker.erasures.run(person.id)
    assert not s3.has(key)
    assert await container.resources.mongo.db.resumes.count_documents({}) == 0


async def test_without_s3_resumes_wait_and_all_else_works(
    settings: QaSettings, monkeypatch: pytest.MonkeyPatch, person: Person
) -> None:
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
    async with running(create_app(), person.tokens["accessToken"]) as http:
        form = await http.post(f"{PATH}/uploads", json={"contentType": "text/plain", "sizeBytes": 3})
        assert form.status_code == 201
        refused = await http.post(PATH, json={"uploadId": form.json()["uploadId"]})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        body = {"role": "Cook", "experience": "new", "topics": [], "generate": False}
        assert (await http.post("/api/v1/sessions", json=body)).status_code == 201
        assert (await http.get("/health/ready")).status_code == 200


async def test_nobody_keeps_more_resumes_than_there_is_room_for(
    http: httpx.AsyncClient, upload: Upload, read: Read, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_RESUMES", 1)
    await read(await upload(made.pdf("Ada")))
    answer = await http.post(f"{PATH}/uploads", json={"contentType": "text/plain", "sizeBytes": 3})
    assert answer.status_code == 409
