"""The fault injector: kills, freezes and restarts every process of the suite in turn."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]
from rich.console import Console

from intervai_local import parts
from intervai_local.lifecycle import Suite
from intervai_local.parts import Process
from intervai_local.state import State

#: kill -9; SIGSTOP, some seconds later SIGCONT; SIGTERM.
KINDS = ("kill", "freeze", "restart")
#: Not under test: they stand for the language model's provider and for the mail of others.
SPARED = {"mail", parts.OFFLINE_LLM}
FREEZE_SECONDS = (1.5, 5.0)
#: Now and then a frozen worker wakes up after its lease and its heartbeat have ended: another may have its work.
LONG_FREEZE_SECONDS = 36.0
#: Seconds between a fault's end, when all is reachable again, and the next one.
REST_SECONDS = (0.3, 1.2)
#: The share of faults that hit while the one before is not over yet.
OVERLAPPING = 0.2
#: Seconds after which what has not come back is told in the report, and the next fault comes all the same.
RECOVERY_SECONDS = 60.0
#: Seconds that a fault waits for the requests that were to be made before it.
LONGEST_WAIT_SECONDS = 15.0
LOOK_SECONDS = 0.1
#: Seconds that a fault takes at first guess; then it is the mean.
GUESS_SECONDS = 4.5


@dataclass
class Fault:
    """One fault. `recovery`: seconds from its cause (for a freeze: from its end) to the first good answer."""

    victim: str
    kind: str
    seconds: float = 0.0
    recovery: float | None = None
    started: float = field(default_factory=time.monotonic)


def schedule(victims: Sequence[str], kinds: Sequence[str], count: int, seed: int) -> list[tuple[str, str]]:
    """`count` pairs of victim and kind: each pair equally often, and each victim once before any comes again."""
    source, pairs = random.Random(seed), list[tuple[str, str]]()  # noqa: S311
    while len(pairs) < count:
        turns = {victim: source.sample(kinds, len(kinds)) for victim in victims}
        for number in range(len(kinds)):
            order = source.sample(victims, len(victims))
            pairs += [(victim, turns[victim][number]) for victim in order]
    return pairs[:count]


class Injector:
    """Breaks the running suite of `state` by a schedule."""

    def __init__(
        self, state: State, count: int, seed: int, *, kinds: Sequence[str] = KINDS, victims: Sequence[str] = ()
    ) -> None:
        self._suite = Suite(state, Console(stderr=True))
        plan = self._suite.plan()
        every = [*parts.parts(plan), *parts.services(plan)]
        self.processes = {process.name: process for process in every if process.name not in SPARED}
        self.faults: list[Fault] = []
        self._schedule = schedule(victims or list(self.processes), kinds, count, seed)
        self._random = random.Random(seed)  # noqa: S311
        self._open: dict[str, tuple[Fault, asyncio.Task[None]]] = {}
        self._long_freezes = {name for name in self.processes if "-worker-" in name}
        self._started = time.monotonic()

    @property
    def progress(self) -> float:
        """How much of the schedule is done, 0 to 1; it grows between faults too."""
        done = len(self.faults) - bool(self._open)
        mean = (time.monotonic() - self._started) / done if done > 4 else GUESS_SECONDS
        begun = min(1.0, (time.monotonic() - self.faults[-1].started) / mean) if self.faults else 0.0
        return min(1.0, (done + begun) / len(self._schedule))

    async def run(self, met: Callable[[], float]) -> None:
        """Injects all faults, one after the other, a few of them overlapping.

        `met` says how much of the load is done, 0 to 1: on a slow machine the faults wait for it, so that they hit.
        """
        self._started = time.monotonic()
        waiting = list(self._schedule)
        while waiting:
            # A worker that sleeps for long has its next turn later.
            free = [pair for pair in waiting if pair[0] not in self._open] or waiting
            victim, kind = free[0]
            waiting.remove((victim, kind))
            await self._until_met(met)
            if victim in self._open or (self._open and self._random.random() > OVERLAPPING):
                await self._all_over(victim)
            fault = Fault(victim, kind)
            self.faults.append(fault)
            self._open[victim] = fault, asyncio.create_task(self._inject(fault))
            await asyncio.sleep(self._random.uniform(*REST_SECONDS))
        await self._all_over(even_long=True)

    async def _until_met(self, met: Callable[[], float]) -> None:
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while met() < len(self.faults) / len(self._schedule) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    async def _all_over(self, *also: str, even_long: bool = False) -> None:
        """Waits until everything is reachable; not for a worker that is frozen for long, unless it is in `also`."""
        while waiting := [
            task
            for name, (fault, task) in self._open.items()
            if even_long or name in also or fault.seconds < LONG_FREEZE_SECONDS
        ]:
            await asyncio.gather(*waiting)
            self._open = {name: entry for name, entry in self._open.items() if not entry[1].done()}
        await asyncio.sleep(self._random.uniform(*REST_SECONDS))

    async def _inject(self, fault: Fault) -> None:
        victim = self.processes[fault.victim]
        process = await self._process(victim)
        cause_over = time.monotonic()
        if fault.kind == "kill":
            process.kill()
        elif fault.kind == "restart":
            process.terminate()
        else:
            await self._freeze(fault, process)
            cause_over = time.monotonic()
        if fault.kind != "freeze":
            await _ended(process, victim.stop_seconds)
        await self._ready(victim, fault, cause_over)

    async def _freeze(self, fault: Fault, process: psutil.Process) -> None:
        is_long = fault.victim in self._long_freezes and self._random.random() < 0.3
        fault.seconds = LONG_FREEZE_SECONDS if is_long else self._random.uniform(*FREEZE_SECONDS)
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            process.send_signal(signal.SIGCONT)

    async def _process(self, victim: Process) -> psutil.Process:
        """The living process of an instance; waits for circus while there is none."""
        while True:
            pids = self._suite.supervisor.pids().get(victim.name, [])
            if pids and psutil.pid_exists(pids[-1]):
                process = psutil.Process(pids[-1])
                if process.status() != psutil.STATUS_ZOMBIE:
                    return process
            await asyncio.sleep(LOOK_SECONDS)

    async def _ready(self, victim: Process, fault: Fault, since: float) -> None:
        while time.monotonic() - since < RECOVERY_SECONDS:
            if await asyncio.to_thread(victim.ready):
                fault.recovery = time.monotonic() - since
                return
            await asyncio.sleep(LOOK_SECONDS)


async def _ended(process: psutil.Process, seconds: float) -> None:
    """Waits for the end of a process that was told to; kills it after its time, as an orchestrator does."""
    deadline = time.monotonic() + seconds
    with suppress(psutil.NoSuchProcess):  # it has ended between two looks
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                process.kill()
            await asyncio.sleep(LOOK_SECONDS)


def wake_all(state: State) -> None:
    """Continues whatever a run that was cut short has left frozen."""
    for pids in Suite(state, Console(stderr=True)).supervisor.pids().values():
        if psutil.pid_exists(pids[-1]):
            os.kill(pids[-1], signal.SIGCONT)
