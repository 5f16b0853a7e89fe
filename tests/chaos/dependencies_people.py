"""What people do in a cell of the matrix: each request once, with all that it needs prepared before the fault."""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from intervai_shared.testing import letters_to
from tests.chaos.dependencies_stack import Stack

PASSWORD = "correct horse battery"
#: Seconds after which a request counts as hanging; far beyond what any may take.
HANGS_SECONDS = 60.0
INTERVIEW = {"role": "Backend engineer", "experience": "senior", "topics": ["Python", "SQL"], "questionCount": 2}
#: Options by which exports of one session differ.
LOOKS = [
    {"paper": paper, "locale": locale, "bom": bom}
    for paper in ("a4", "letter")
    for locale in ("en", "de", "fr", "es", "ja")
    for bom in (False, True)
]


@dataclass
class Kit:
    """One person with all that the requests need: `told` are the sessions that they know of."""

    http: httpx.AsyncClient
    internal: httpx.AsyncClient
    email: str
    user: str
    session: str = ""
    job: str = ""
    export: str = ""
    unwanted_export: str = ""
    refresh_token: str = ""
    leaving_token: str = ""
    told: set[str] = field(default_factory=set)
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    looks: Iterator[dict[str, Any]] = field(default_factory=lambda: iter(LOOKS))

    async def close(self) -> None:
        await self.http.aclose()
        await self.internal.aclose()


async def prepare(stack: Stack) -> Kit:
    """A new person with a session, its questions, two exports and one more log-in."""
    http = _client(stack.gateway_url)
    internal = _client(stack.internal_url)
    email = f"{secrets.token_hex(8)}@example.com"
    answer = await http.post("/api/v1/auth/register", json={"email": email, "password": PASSWORD, "fullName": "Ada"})
    assert answer.status_code == 201, answer.text
    tokens = answer.json()
    kit = Kit(http, internal, email, tokens["user"]["id"], refresh_token=tokens["refreshToken"])
    http.headers["Authorization"] = f"Bearer {tokens['accessToken']}"
    kit.leaving_token = (await log_in(kit)).json()["accessToken"]
    internal.headers["Authorization"] = f"Bearer {await _service_token(stack, internal)}"
    started = (await new_session(kit)).json()
    kit.session, kit.job = started["id"], started["generation"]["jobId"]
    assert (await ended(kit, f"/api/v1/jobs/{kit.job}"))["status"] == "succeeded"
    kit.export, kit.unwanted_export = await asyncio.gather(_ready_export(kit), _ready_export(kit))
    for cached in (profile, trending):
        assert (await cached(kit)).status_code == 200
    return kit


def _client(url: str) -> httpx.AsyncClient:
    """For plain HTTP: certificates would take 27 ms to read."""
    return httpx.AsyncClient(base_url=url, timeout=HANGS_SECONDS, verify=False)  # noqa: S501


async def _service_token(stack: Stack, internal: httpx.AsyncClient) -> str:
    secret = stack.plan.secrets["export-service"]
    body = {"clientId": "export-service", "clientSecret": secret, "audience": "qa-service"}
    return str((await internal.post("/auth-service/internal/token", json=body)).json()["accessToken"])


async def _ready_export(kit: Kit) -> str:
    started = await new_export(kit)
    assert started.status_code == 202, started.text
    export = await ended(kit, f"/api/v1/exports/{started.json()['id']}")
    assert export["status"] == "ready", export
    return str(export["id"])


async def ended(kit: Kit, path: str, seconds: float = 60) -> dict[str, Any]:
    """A job or an export once it has ended; also over errors, which a healing part may still cause."""
    async with asyncio.timeout(seconds):
        while True:
            answer = await kit.http.get(path)
            if answer.status_code == 200 and answer.json()["status"] not in {"queued", "running"}:
                return dict(answer.json())
            await asyncio.sleep(0.1)


async def keys(kit: Kit) -> httpx.Response:
    return await kit.http.get("/.well-known/jwks.json")


async def register(kit: Kit) -> httpx.Response:
    body = {"email": f"{secrets.token_hex(8)}@example.com", "password": PASSWORD, "fullName": "Bob"}
    return await kit.http.post("/api/v1/auth/register", json=body)


async def log_in(kit: Kit) -> httpx.Response:
    return await kit.http.post("/api/v1/auth/login", json={"email": kit.email, "password": PASSWORD})


async def refresh(kit: Kit) -> httpx.Response:
    answer = await kit.http.post("/api/v1/auth/refresh", json={"refreshToken": kit.refresh_token})
    if answer.status_code == 200:
        kit.refresh_token = answer.json()["refreshToken"]
    return answer


async def log_out(kit: Kit) -> httpx.Response:
    return await kit.http.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {kit.leaving_token}"})


async def profile(kit: Kit) -> httpx.Response:
    return await kit.http.get("/api/v1/users/me")


async def change_profile(kit: Kit) -> httpx.Response:
    return await kit.http.patch("/api/v1/users/me", json={"headline": "Engineer"})


async def list_sessions(kit: Kit) -> httpx.Response:
    return await kit.http.get("/api/v1/sessions")


async def change_session(kit: Kit) -> httpx.Response:
    return await kit.http.patch(f"/api/v1/sessions/{kit.session}", json={"title": "Mine"})


async def new_session(kit: Kit, key: str | None = None) -> httpx.Response:
    """Each has a topic of its own: a person gets no question twice, and asks so often that others would be used up."""
    interview = {**INTERVIEW, "topics": [f"Topic {key or secrets.token_hex(4)}"]}
    answer = await kit.http.post("/api/v1/sessions", json=interview, headers={"Idempotency-Key": key} if key else {})
    if answer.status_code == 201:
        kit.told.add(answer.json()["id"])
    return answer


async def new_session_with_key(kit: Kit) -> httpx.Response:
    return await new_session(kit, kit.key)


async def job(kit: Kit) -> httpx.Response:
    return await kit.http.get(f"/api/v1/jobs/{kit.job}")


async def job_events(kit: Kit) -> httpx.Response:
    return await kit.http.get(f"/api/v1/jobs/{kit.job}/events")


async def trending(kit: Kit) -> httpx.Response:
    return await kit.http.get("/api/v1/analytics/trending")


async def internal_session(kit: Kit) -> httpx.Response:
    return await kit.internal.get(f"/qa-service/internal/users/{kit.user}/sessions/{kit.session}")


async def new_export(kit: Kit) -> httpx.Response:
    """Each looks different: one that there is already would be answered with no transaction."""
    wanted = {"sessionId": kit.session, "format": "json", "options": next(kit.looks)}
    return await kit.http.post("/api/v1/exports", json=wanted)


async def export(kit: Kit) -> httpx.Response:
    return await kit.http.get(f"/api/v1/exports/{kit.export}")


async def download(kit: Kit) -> httpx.Response:
    return await kit.http.get(f"/api/v1/exports/{kit.export}/download")


async def delete_export(kit: Kit) -> httpx.Response:
    return await kit.http.delete(f"/api/v1/exports/{kit.unwanted_export}")


@dataclass(frozen=True)
class Seen:
    """What came of a request. `error` is an exception of the client instead of an answer."""

    status: int
    media_type: str
    retry_after: str | None
    seconds: float
    body: Any
    text: str
    error: str = ""

    @property
    def is_refusal(self) -> bool:
        """503 as the contract wants it: problem+json, with the time after which to try again."""
        return self.status == 503 and self.media_type == "application/problem+json" and bool(self.retry_after)

    @property
    def is_answer(self) -> bool:
        return 200 <= self.status < 400


Request = Callable[[Kit], Awaitable[httpx.Response]]


async def see(request: Request, kit: Kit) -> Seen:
    """Sends a request and notes what comes."""
    started = time.monotonic()
    try:
        answer = await request(kit)
    except httpx.HTTPError as error:
        return Seen(0, "", None, time.monotonic() - started, None, "", repr(error))
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    body = answer.json() if media_type.endswith("json") and answer.content else None
    seconds = time.monotonic() - started
    return Seen(answer.status_code, media_type, answer.headers.get("retry-after"), seconds, body, answer.text)


async def letters_for(registered: Any, seconds: float) -> int | None:
    """How many different ones its mailbox holds, once there is one. What is sent twice has one Message-ID."""
    if not registered:
        return None
    folder, deadline = Path(os.environ["STATE_DIR"]) / "mail", time.monotonic() + seconds
    while True:
        found = {letter["Message-ID"] for letter in letters_to(folder, registered["user"]["email"])}
        if found or time.monotonic() > deadline:
            return len(found)
        await asyncio.sleep(0.2)
