"""A person's questions by a provider that fails in every passing way.

`python -m tests.e2e.misbehaving` tells what came of it, as JSON, on the suite that the environment names;
`test_misbehaving.py` starts one with such a provider.
"""

import asyncio
import json
import os
import secrets
from typing import Any

import httpx
from bson import ObjectId

from intervai_shared.testing import Person
from tests.e2e.support import start_session, wait_for_job

TOPICS = ("Python", "SQL", "Kubernetes", "System design", "Testing", "Security")
QUESTIONS = 6


async def told() -> dict[str, Any]:
    """`jobs` and `texts` of sessions, one after the other so that the dice fall the same each time; `high`: a job that
    asks the better model; `usage`: what `GET /usage` says at the end."""
    async with httpx.AsyncClient(base_url=os.environ["GATEWAY_URL"], timeout=20) as http:
        body = {"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex(8), "fullName": "Ada"}
        tokens = (await http.post("/api/v1/auth/register", json=body)).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {tokens['accessToken']}"
        person = Person(ObjectId(tokens["user"]["id"]), body["email"], http, tokens)
        sessions = []
        jobs = []
        for topic in TOPICS:
            sessions.append(await start_session(person, [topic], QUESTIONS))
            jobs.append(await wait_for_job(person, sessions[-1]["generation"]["jobId"]))
        more = f"/api/v1/sessions/{sessions[0]['id']}/generations"
        started = (await http.post(more, json={"count": 2, "quality": "high"})).raise_for_status().json()
        high = await wait_for_job(person, started["jobId"])
        texts = [await _texts(http, session["id"]) for session in sessions]
        usage = (await http.get("/api/v1/usage")).raise_for_status().json()
    return {"jobs": jobs, "texts": texts, "high": high, "usage": usage}


async def _texts(http: httpx.AsyncClient, session_id: str) -> list[str]:
    page = (await http.get(f"/api/v1/sessions/{session_id}/questions?limit=100")).raise_for_status().json()
    return [question["text"] for question in page["items"]]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(told())))  # noqa: T201  for the test
