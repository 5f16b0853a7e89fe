"""What clients notice while instances of a running suite are replaced, added and taken away.

`make bench TARGET=rolling` runs it: an open-loop load of RATE (300) requests a second goes through the gateway while
SERVICE (qa-service), of two instances, is rolled, scaled to three and back. MIX=all (the default) reads and writes of
all four services; MIX=reads reads what costs little.
GATEWAY_PORT and STATE_DIR name the suite, which is best started with RATE_LIMIT_SCALE=0. Exit status 1 when a request
failed.
"""

import asyncio
import os
import secrets
import sys
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.rolling.load import Load, Result

RATE = float(os.environ.get("RATE") or 300)
SERVICE = os.environ.get("SERVICE") or "qa-service"
MIX = os.environ.get("MIX") or "all"
#: With 8, so a dozen requests of each at a time, some writes to profiles were answered 503 (docs/operations.md).
PEOPLE = 40
QUIET_SECONDS = 10


async def tokens(url: str) -> list[str]:
    """Access tokens of so many new people."""
    found = list[str]()
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        for _ in range(PEOPLE):
            email = f"{secrets.token_hex(8)}@example.com"
            body = {"email": email, "password": secrets.token_hex(8), "fullName": "Ada Lovelace"}
            answer = (await http.post("/api/v1/auth/register", json=body)).raise_for_status()
            found.append(answer.json()["accessToken"])
    return found


async def command(*words: str) -> None:
    """A command of the runner on the same suite; stops the bench with its output when it fails."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "intervai_local", *words, stdout=pipe, stderr=pipe
    )
    output, errors = await process.communicate()
    if process.returncode:
        sys.exit((output + errors).decode())


async def measure(url: str) -> dict[str, Result]:
    """What came of the load, by what happened meanwhile."""
    load, phases = Load(url, await tokens(url), RATE, MIX), dict[str, Result]()
    await command("scale", SERVICE, "2")
    running = asyncio.create_task(load.run())
    await asyncio.sleep(QUIET_SECONDS)
    phases["nothing"] = load.next_phase()
    for words in (["roll", SERVICE], ["scale", SERVICE, "3"], ["scale", SERVICE, "2"]):
        await command(*words)
        phases[" ".join(words)] = load.next_phase()
    load.stop()
    await running
    await command("scale", SERVICE, "1")
    return phases


def table(phases: dict[str, Result]) -> Table:
    made = Table(title=f"{RATE:.0f} requests a second wanted, of {MIX}", box=None)
    for column in ("meanwhile", "seconds", "sent", "a second", "failed", "median ms", "99 % ms", "worst ms"):
        made.add_column(column, justify="left" if column == "meanwhile" else "right")
    for name, result in phases.items():
        times = [f"{result.quantile(share) * 1000:.1f}" for share in (0.5, 0.99, 1)]
        seconds = result.ended - result.began
        failed = sum(result.failures.values())
        made.add_row(name, f"{seconds:.0f}", str(result.sent), f"{result.rate:.0f}", str(failed), *times)
    return made


def main() -> int:
    console, cpu = Console(), time.process_time()
    url = os.environ.get("GATEWAY_URL") or f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT') or 8080}"
    phases = asyncio.run(measure(url))
    console.print(table(phases))
    sent = sum(result.sent for result in phases.values())
    console.print(f"CPU of the load itself: {(time.process_time() - cpu) * 1000 / sent:.2f} ms a request")
    for name, result in phases.items():
        for failure, count in result.failures.most_common(5):
            console.print(f"{name}: {count} times {failure}", markup=False)
    return int(any(result.failures for result in phases.values()))


if __name__ == "__main__":
    sys.exit(main())
