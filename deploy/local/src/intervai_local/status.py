"""The table of a suite's processes."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]
from rich.table import Table

from intervai_local import parts
from intervai_local.lifecycle import Suite
from intervai_local.parts import Process
from intervai_local.supervisor import processes_of

CPU_SAMPLE_SECONDS = 0.3


@dataclass(frozen=True)
class Row:
    """One process. `rss` in bytes with its children, `cpu` in percent of one core, `uptime` in seconds."""

    name: str
    port: int
    pid: int | None
    restarts: int
    ready: bool
    rss: int = 0
    cpu: float = 0
    uptime: float = 0


def show(suite: Suite) -> int:
    """Print the table.

    Returns:
        0 when everything is ready, else 1.
    """
    if not suite.supervisor.is_running():
        left = sum(map(len, processes_of(suite.state).values()))
        died = f"circus died and left {left} processes; `make down` stops them, `make up` starts anew"
        suite.console.print(died if left else "nothing runs; start it with `make up`", markup=False)
        return 1
    plan = suite.plan()
    processes = [*parts.parts(plan), *parts.services(plan)]
    rows = measure(processes, suite.supervisor.pids())
    suite.console.print(table(rows))
    return 0 if all(row.ready for row in rows) else 1


def measure(processes: list[Process], pids: dict[str, list[int]]) -> list[Row]:
    with ThreadPoolExecutor(len(processes)) as pool:
        ready = list(pool.map(lambda process: process.ready(), processes))
    found = {process.name: find(pids.get(process.name, [])) for process in processes}
    for group in found.values():
        for member in group:
            member.cpu_percent()
    time.sleep(CPU_SAMPLE_SECONDS)
    return [
        row(process, found[process.name], len(pids.get(process.name, [])) - 1, is_ready)
        for process, is_ready in zip(processes, ready, strict=True)
    ]


def find(pids: list[int]) -> list[psutil.Process]:
    """The living process of an instance and its children; empty when it is dead."""
    try:
        process = psutil.Process(pids[-1])
        return [process, *process.children(recursive=True)] if process.status() != psutil.STATUS_ZOMBIE else []
    except (IndexError, psutil.Error):
        return []


def row(process: Process, group: list[psutil.Process], restarts: int, ready: bool) -> Row:
    if not group:
        return Row(process.name, process.port, None, max(restarts, 0), ready=False)
    try:
        rss = sum(member.memory_info().rss for member in group)
        cpu = sum(member.cpu_percent() for member in group)
        uptime = time.time() - group[0].create_time()
    except psutil.NoSuchProcess:
        return Row(process.name, process.port, None, restarts, ready=False)
    return Row(process.name, process.port, group[0].pid, restarts, ready, rss, cpu, uptime)


def table(rows: list[Row]) -> Table:
    result = Table(box=None, pad_edge=False)
    result.add_column("NAME")
    result.add_column("STATE")
    for column in ("PID", "PORT", "RSS MB", "CPU %", "UPTIME", "RESTARTS"):
        result.add_column(column, justify="right")
    for line in rows:
        state = "[green]ready" if line.ready else "[yellow]not ready" if line.pid else "[red]stopped"
        minutes, seconds = divmod(int(line.uptime), 60)
        numbers = (line.pid or "-", line.port, round(line.rss / 1e6), round(line.cpu), f"{minutes}:{seconds:02}")
        result.add_row(line.name, state, *map(str, numbers), str(line.restarts))
    total = sum(line.rss for line in rows)
    result.add_row("all", "", "", "", str(round(total / 1e6)), str(round(sum(line.cpu for line in rows))), "", "")
    return result
