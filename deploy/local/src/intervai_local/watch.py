"""Starts MongoDB again when it stands still. The embedded engine has done so under tests, for what `parts.mongo` tells:
it took connections, and answered nothing more for an hour. To kill it loses nothing that it has acknowledged."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil  # type: ignore[import-untyped]

from intervai_local import probes
from intervai_local.lifecycle import Suite
from intervai_local.probes import Probe

MONGO = "mongo"
#: Without an answer after which it is ended: longer than a busy machine or a test makes it wait.
SILENT_SECONDS = 60.0
#: Between two looks, which take as long at most.
POLL_SECONDS = 5.0
#: For the stacks of its threads, which a Python program writes to its log when it is aborted.
ABORT_SECONDS = 5


@contextmanager
def mongo_watched(suite: Suite, silent_seconds: float = SILENT_SECONDS) -> Iterator[None]:
    """Meanwhile MongoDB of this suite is ended whenever it has answered nothing for so long; circus starts it again."""
    over, pause = Event(), min(POLL_SECONDS, silent_seconds / 4)
    reads = probes.mongo_reads(suite.plan().ports[MONGO], pause)  # here: a plan writes files, as the caller does too
    watcher = Thread(target=_watch, args=(suite, reads, silent_seconds, pause, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(suite: Suite, reads: Probe, silent_seconds: float, pause: float, over: Event) -> None:
    answered = time.monotonic()
    while not over.wait(pause):
        if reads():
            answered = time.monotonic()
        elif (silent := time.monotonic() - answered) >= silent_seconds:
            suite.console.print(f"[yellow]MongoDB has answered nothing for {silent:.0f} s and is started again")
            _end(suite.supervisor.pids()[MONGO][-1])
            answered = time.monotonic()


def _end(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGABRT)
        psutil.wait_procs([process], timeout=ABORT_SECONDS)
        process.kill()
    except psutil.NoSuchProcess:
        return
