"""The record of started processes, written inside circusd by its `after_spawn` hook."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MARK = "INTERVAI_SUITE"  # in the environment of every process of a suite: the suite's folder
NAME = "INTERVAI_PROCESS"
FORGET = "-"


def record(watcher: Any, pid: int, **_: Any) -> bool:
    """Note that circus started a process; True lets it live."""
    with (Path(os.environ[MARK]) / "spawns.log").open("a") as file:
        file.write(f"{watcher.name} {pid}\n")
    return True


def read(path: Path) -> dict[str, list[int]]:
    """The pids of each name since it was last forgotten, oldest first."""
    pids: dict[str, list[int]] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            name, pid = line.split()
            if pid == FORGET:
                pids.pop(name, None)
            else:
                pids.setdefault(name, []).append(int(pid))
    return pids


def forget(path: Path, names: Iterable[str]) -> None:
    """Note that instances were taken away: one of the same name is a new one, not a restart."""
    with path.open("a") as file:
        file.writelines(f"{name} {FORGET}\n" for name in names)
