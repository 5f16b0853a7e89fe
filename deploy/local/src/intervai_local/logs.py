"""Reads the processes' log files as one stream."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from intervai_local.lifecycle import Suite, is_service
from intervai_local.log_lines import render
from intervai_local.state import SuiteError
from intervai_local.supervisor import CIRCUSD

POLL_SECONDS = 0.2
LAST_LINES = 50
HINTS = """
curl -s {url}/.well-known/jwks.json
curl -s '{url}/api/v1/analytics/trending?limit=5'
curl -s {url}/api/v1/auth/register -H 'Content-Type: application/json' \\
  -d '{{"email": "ada@example.com", "password": "Correct-Horse-7-Battery", "fullName": "Ada Lovelace"}}'
"""


class Tail:
    """Follows one file over rotation and truncation."""

    def __init__(self, path: Path, *, from_end: bool) -> None:
        self.path = path
        self.inode = path.stat().st_ino if from_end and path.exists() else 0
        self.offset = path.stat().st_size if self.inode else 0
        self.rest = b""

    def lines(self) -> list[str]:
        """Complete lines written since the last call."""
        try:
            with self.path.open("rb") as file:
                self._notice_rotation(file.fileno())
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self.offset += len(data)
        *complete, self.rest = (self.rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in complete]

    def _notice_rotation(self, descriptor: int) -> None:
        facts = os.fstat(descriptor)
        if facts.st_ino != self.inode or facts.st_size < self.offset:
            self.inode, self.offset, self.rest = facts.st_ino, 0, b""


def run(suite: Suite, gateway_port: int) -> None:
    """`make run`: start, show what to try, follow all logs, and stop everything on Ctrl-C or SIGTERM."""
    suite.up(gateway_port)
    url = f"http://127.0.0.1:{gateway_port}"
    try:
        suite.console.print(f"\n[bold]InterVAI answers at {url}[/] — try:")
        suite.console.print(HINTS.format(url=url), markup=False, soft_wrap=True)
        suite.console.print(
            "Logs follow; Ctrl-C stops everything, data stays in " + str(suite.state.root), markup=False
        )
        stream(suite, lambda _: True, from_end=True)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    finally:
        suite.console.print("\nstopping …")
        suite.down()
        suite.console.print("stopped")


def follow(suite: Suite, names: Sequence[str], *, follow: bool) -> None:
    """Print the last lines of the named processes' logs, and new ones while the suite runs.

    Raises:
        SuiteError: a name that has no log.
    """
    known = [path.stem for path in suite.state.logs.glob("*.log")]
    for name in names:
        if not any(belongs(log, name) for log in known):
            raise SuiteError(f"no log of {name}; there are: {', '.join(sorted(known)) or 'none yet'}")
    wanted = [path for path in suite.state.logs.glob("*.log") if path.stem != CIRCUSD]
    chosen = [path for path in wanted if not names or any(belongs(path.stem, name) for name in names)]
    for path in sorted(chosen):
        show(suite.console, path.stem, path.read_text(errors="replace").splitlines()[-LAST_LINES:])
    if follow:
        stream(suite, lambda log: not names or any(belongs(log, name) for name in names), from_end=True)


def belongs(log: str, name: str) -> bool:
    """Whether a log (`qa-worker-2`) is of what the user named (`qa-worker-2`, `qa-worker`)."""
    return log == name or (is_service(log) and log.rpartition("-")[0] == name)


def stream(suite: Suite, wanted: Callable[[str], bool], *, from_end: bool) -> None:
    """Print new lines until circus ends; instances that scaling adds are taken in."""
    tails: dict[str, Tail] = {}
    while suite.supervisor.is_running():
        for path in sorted(suite.state.logs.glob("*.log")):
            if wanted(path.stem) and path.stem != CIRCUSD:
                if path.stem not in tails:
                    tails[path.stem] = Tail(path, from_end=from_end)
                show(suite.console, path.stem, tails[path.stem].lines())
        from_end = False
        time.sleep(POLL_SECONDS)


def show(console: Console, name: str, lines: Sequence[str]) -> None:
    for line in lines:
        text = render(name, line)
        if text is not None:
            console.print(text, soft_wrap=True)
