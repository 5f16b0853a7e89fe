"""What exports take on a running suite: one at a time when nothing else goes on, and many at once.

`make bench TARGET=exports` runs it; GATEWAY_PORT names the suite, which is started with RATE_LIMIT_SCALE=0. Every file
is another one (paper, language, notes, session), so none is answered by an earlier one. EXPORTS=400 of FORMAT=pdf.
"""

import asyncio
import os
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, islice, product
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from export_service.renderers.content import content_of
from export_service.renderers.pdf import render_pdf

EXPORTS = int(os.environ.get("EXPORTS", "400"))
FORMAT = os.environ.get("FORMAT", "pdf")
QUESTIONS, SESSIONS, IDLE_ROUNDS, READS_A_SECOND = 30, 20, 20, 20
#: Readers are counted while at least so many wait.
MANY_WAIT = 200
LOCALES, PAPERS = ("en", "de", "fr", "es", "ja"), ("a4", "letter")
POLL_SECONDS = 0.01
ANSWER = (
    "It depends on what is read and what is written, and a good answer weighs both against each other. " * 5
    + "\n\n```python\ndef spread(items):\n    return {item.key: item for item in items}\n```\n\nThen it names them."
)
Headers = dict[str, str]


def document() -> dict[str, Any]:
    """A session of 30 questions as its JSON export has it."""
    question = {"answer": ANSWER, "difficulty": "medium", "keyPoints": ["Costs", "An example", "Limits", "Tests"]}
    more = {"followUps": ["And with more data?", "How would you test it?"], "isPinned": False, "notes": "Read again."}
    about = {"title": f"Interview {secrets.token_hex(3)}", "role": "Backend engineer", "experience": "senior"}
    when = {"topics": ["SQL", "Python", "Docker"], "createdAt": "2026-03-05T10:00:00Z", "id": "0" * 24}
    texts = [(n, ("SQL", "Python", "Docker")[n % 3]) for n in range(QUESTIONS)]
    questions = [
        {"id": f"{n:024x}", "text": f"Why {secrets.token_hex(4)} in {topic}?", "category": topic, **question, **more}
        for n, topic in texts
    ]
    return {"schema": "urn:intervai:session-export:1", "session": {**about, **when}, "questions": questions}


async def sessions_of(http: httpx.AsyncClient) -> list[tuple[Headers, str]]:
    """People with a session each: their tokens, and its id."""
    made = []
    for _ in range(SESSIONS):
        names = {"email": f"{secrets.token_hex(8)}@example.com", "fullName": "Ada Lovelace"}
        body = {**names, "password": secrets.token_hex(8)}
        registered = (await http.post("/api/v1/auth/register", json=body)).raise_for_status().json()
        headers = {"Authorization": f"Bearer {registered['accessToken']}"}
        answer = await http.post("/api/v1/sessions/import", json=document(), headers=headers)
        made.append((headers, answer.raise_for_status().json()["id"]))
    return made


def orders(sessions: list[tuple[Headers, str]]) -> list[tuple[Headers, dict[str, Any]]]:
    """Exports to ask for, of which no two are the same; neighbours are different people's."""
    options = [
        {"locale": locale, "paper": paper, "includeNotes": notes, "onlyPinned": False, "bom": bom}
        for locale, paper, notes, bom in product(LOCALES, PAPERS, (True, False), (True, False))
    ]
    if len(options) * len(sessions) < EXPORTS + IDLE_ROUNDS:
        raise SystemExit(f"at most {len(options) * len(sessions) - IDLE_ROUNDS} exports")
    return [
        (headers, {"sessionId": session, "format": FORMAT, "options": chosen})
        for chosen in options
        for headers, session in sessions
    ]


async def ended(http: httpx.AsyncClient, headers: Headers, export_id: str) -> None:
    """Polls until the export is ready. Raises RuntimeError when it ends otherwise."""
    while True:
        answer = (await http.get(f"/api/v1/exports/{export_id}", headers=headers)).raise_for_status().json()
        if answer["status"] == "ready":
            return
        if answer["status"] not in {"queued", "running"}:
            raise RuntimeError(f"{export_id}: {answer}")
        await asyncio.sleep(POLL_SECONDS)


async def one_at_a_time(http: httpx.AsyncClient, wanted: list[tuple[Headers, dict[str, Any]]]) -> list[float]:
    """Milliseconds from POST to ready."""
    times = []
    for headers, body in wanted:
        began = time.perf_counter()
        started = (await http.post("/api/v1/exports", json=body, headers=headers)).raise_for_status().json()
        await ended(http, headers, started["id"])
        times.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.1)
    return times


class Waiting:
    """How many exports are asked for and not ready."""

    def __init__(self) -> None:
        self.count = 0
        self.reads: list[float] = []


@asynccontextmanager
async def reader(http: httpx.AsyncClient, headers: Headers, export_id: str, waiting: Waiting) -> AsyncIterator[None]:
    """Somebody who looks at their exports, the list and one of them in turn, while the block runs."""

    async def read() -> None:
        for path in cycle(("/api/v1/exports", f"/api/v1/exports/{export_id}")):
            counts, began = waiting.count >= MANY_WAIT, time.perf_counter()
            (await http.get(path, headers=headers)).raise_for_status()
            if counts:
                waiting.reads.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(1 / READS_A_SECOND)

    task = asyncio.create_task(read())
    try:
        yield
    finally:
        task.cancel()


async def many_at_once(
    http: httpx.AsyncClient, wanted: list[tuple[Headers, dict[str, Any]]], waiting: Waiting
) -> tuple[float, float]:
    """Seconds until all are accepted, and until all are ready."""
    began, gate = time.perf_counter(), asyncio.Semaphore(8)

    async def start(headers: Headers, body: dict[str, Any]) -> tuple[Headers, str]:
        async with gate:
            answer = (await http.post("/api/v1/exports", json=body, headers=headers)).raise_for_status().json()
        waiting.count += 1
        return headers, answer["id"]

    started = await asyncio.gather(*(start(*order) for order in wanted))
    accepted = time.perf_counter() - began
    for (
        headers,
        export_id,
    ) in started:  # in the order of the queue: most that come later are ready when they are asked for
        await ended(http, headers, export_id)
        waiting.count -= 1
    return accepted, time.perf_counter() - began


def work_ms() -> list[float]:
    """Rendering 30 questions in this process, warm."""
    told = document()
    content = content_of(told, {"onlyPinned": False, "includeAnswers": True, "includeNotes": True})
    times = []
    for _ in range(13):
        began = time.perf_counter()
        render_pdf(content)
        times.append((time.perf_counter() - began) * 1000)
    return times[3:]


async def bench() -> None:
    """Prints the table."""
    url = f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '8080')}"
    work = work_ms()
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        people = await sessions_of(http)
        wanted = orders(people)
        idle = await one_at_a_time(http, wanted[:IDLE_ROUNDS])
        headers, body = wanted[0]
        known = (await http.post("/api/v1/exports", json=body, headers=headers)).raise_for_status().json()["id"]
        waiting = Waiting()
        async with reader(http, headers, known, waiting):
            accepted, ready = await many_at_once(
                http, list(islice(wanted, IDLE_ROUNDS, IDLE_ROUNDS + EXPORTS)), waiting
            )
    table = Table("figure", "value", title=f"{EXPORTS} exports as {FORMAT}, of {QUESTIONS} questions each")
    table.add_row("rendering a PDF, median", f"{statistics.median(work):.0f} ms")
    table.add_row("POST to ready at idle, median / worst", f"{statistics.median(idle):.0f} / {max(idle):.0f} ms")
    table.add_row("accepted", f"{EXPORTS / accepted:.0f}/s")
    table.add_row("ready", f"{EXPORTS / ready:.1f}/s")
    reads = waiting.reads
    p95 = f"{statistics.quantiles(reads, n=20)[-1]:.0f} ms of {len(reads)}" if len(reads) > 1 else "none"
    table.add_row(f"list and status, p95 while {MANY_WAIT} wait", p95)
    Console().print(table)


def main() -> None:
    """Says in one line why there are no figures."""
    try:
        asyncio.run(bench())
    except httpx.HTTPStatusError as error:
        hint = "start the suite with RATE_LIMIT_SCALE=0: " if error.response.status_code == 429 else ""
        sys.exit(f"{hint}{error.request.url} answered {error.response.text}")
    except httpx.TransportError as error:
        sys.exit(f"no suite answers ({error}); start it with RATE_LIMIT_SCALE=0 make up")


if __name__ == "__main__":
    main()
