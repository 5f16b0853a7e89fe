"""What several end-to-end tests do."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx

from intervai_shared.testing import Person

#: Seconds after which a job that has not ended counts as stuck.
PATIENCE_SECONDS = 60


async def start_session(person: Person, topics: list[str], count: int) -> dict[str, Any]:
    """A new session whose generation has been started."""
    body = {"role": "Backend engineer", "experience": "senior", "topics": topics, "questionCount": count}
    answer = await person.http.post("/api/v1/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def wait_for_job(person: Person, job_id: str) -> dict[str, Any]:
    """The job when it has ended."""
    return await _until(person, f"/api/v1/jobs/{job_id}", {"queued", "running"})


async def upload_resume(person: Person, text: bytes, name: str = "cv.txt") -> str:
    """The id of an upload, of a text file that lies in S3 now."""
    body = {"contentType": "text/plain", "sizeBytes": len(text), "fileName": name}
    answer = await person.http.post("/api/v1/resumes/uploads", json=body)
    assert answer.status_code == 201, answer.text
    form = answer.json()
    async with httpx.AsyncClient() as anybody:
        sent = await anybody.post(form["url"], data=form["fields"], files={"file": (name, text, "text/plain")})
    assert sent.is_success, sent.text
    return str(form["uploadId"])


async def export_file(person: Person, session_id: str, kind: str) -> tuple[dict[str, Any], bytes]:
    """A ready export, and the file that its signed URL downloads."""
    answer = await person.http.post("/api/v1/exports", json={"sessionId": session_id, "format": kind})
    assert answer.status_code == 202, answer.text
    export = await _until(person, f"/api/v1/exports/{answer.json()['id']}", {"queued", "running"})
    assert export["status"] == "ready", export
    async with httpx.AsyncClient() as anybody:
        file = await anybody.get(export["downloadUrl"])
    assert file.status_code == 200, file.text
    assert len(file.content) == export["sizeBytes"]
    return export, file.content


async def events_of_job(person: Person, job_id: str, last_event_id: str | None = None) -> list[dict[str, Any]]:
    """The server-sent events of a job until the stream ends."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with person.http.stream("GET", f"/api/v1/jobs/{job_id}/events", headers=headers) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        return [event async for event in events_of(stream)]


async def events_of(stream: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The events of an open stream as they come: `id`, `event` and, from JSON, `data`."""
    event: dict[str, Any] = {}
    async for line in stream.aiter_lines():
        name, _, value = line.partition(": ")
        if not line and event:
            yield event
            event = {}
        elif name in {"id", "event", "data"}:
            event[name] = json.loads(value) if name == "data" else value


async def _until(person: Person, path: str, unfinished: set[str]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = await person.http.get(path)
        assert answer.status_code == 200, answer.text
        if answer.json()["status"] not in unfinished:
            return dict(answer.json())
        assert time.monotonic() < deadline, answer.text
        await asyncio.sleep(0.05)
