"""How long the main job takes on a running suite: from register to a PDF on the disk.

`make bench TARGET=main-job` runs it; GATEWAY_PORT names the suite, which is best started with RATE_LIMIT_SCALE=0.
Prints the median and the worst of each step, in ms.
"""

import asyncio
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

ROUNDS = 5
POLL_SECONDS = 0.05


class Stopwatch:
    """Notes the time between calls, in ms, by step."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._started = self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """Ends a step."""
        now = time.perf_counter()
        self.steps[step] = (now - self._last) * 1000
        self._last = now

    def total(self) -> None:
        """Adds the time since the start."""
        self.steps["all of it"] = (time.perf_counter() - self._started) * 1000


async def main_job(http: httpx.AsyncClient, folder: Path) -> dict[str, float]:
    """Does the job once; the ms of each step."""
    watch = Stopwatch()
    person = {
        "email": f"{secrets.token_hex(8)}@example.com",
        "password": secrets.token_hex(8),
        "fullName": "Ada Lovelace",
    }
    registered = (await http.post("/api/v1/auth/register", json=person)).raise_for_status().json()
    http.headers["Authorization"] = f"Bearer {registered['accessToken']}"
    watch.lap("register")
    (await http.get("/api/v1/users/me")).raise_for_status()
    watch.lap("profile there")
    wanted = {"role": "Backend engineer", "experience": "senior", "topics": ["Python", "SQL", "Docker"]}
    session = (await http.post("/api/v1/sessions", json=wanted)).raise_for_status().json()
    watch.lap("session accepted")
    await ended(http, f"/api/v1/jobs/{session['generation']['jobId']}")
    watch.lap("10 questions made")
    order = {"sessionId": session["id"], "format": "pdf"}
    export = (await http.post("/api/v1/exports", json=order)).raise_for_status().json()
    watch.lap("export accepted")
    ready = await ended(http, f"/api/v1/exports/{export['id']}")
    watch.lap("PDF ready")
    async with httpx.AsyncClient() as anybody:
        file = (await anybody.get(str(ready["downloadUrl"]))).raise_for_status()
    (folder / str(ready["fileName"])).write_bytes(file.content)
    watch.lap("PDF on the disk")
    watch.total()
    return watch.steps


async def ended(http: httpx.AsyncClient, path: str) -> dict[str, object]:
    """Polls until it is no longer queued or running.

    Raises:
        RuntimeError: it ended badly.
    """
    while True:
        answer: dict[str, object] = (await http.get(path)).raise_for_status().json()
        if answer["status"] in {"succeeded", "ready"}:
            return answer
        if answer["status"] not in {"queued", "running"}:
            raise RuntimeError(f"{path}: {answer}")
        await asyncio.sleep(POLL_SECONDS)


async def bench() -> None:
    """Runs the rounds one after the other and prints the table."""
    url = f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '8080')}"
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                rounds.append(await main_job(http, Path(folder)))
    table = Table("step", "median ms", "worst ms", title=f"main job, {ROUNDS} rounds")
    for step in rounds[0]:
        times = [times[step] for times in rounds]
        table.add_row(step, f"{statistics.median(times):.0f}", f"{max(times):.0f}")
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
