"""Two whole suites on this machine that stand for two regions, and the way to lose one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Starts of a suite before we give up: on a busy machine a part may not be ready in its half minute.
STARTS = 4


@dataclass
class Region:
    """A suite: its folder, the port of its gateway, and the ports of its parts."""

    name: str
    folder: Path
    port: int
    parts: str

    def run(self, command: str) -> int:
        """Runs a command of the local runner; its status."""
        own = {
            "STATE_DIR": str(self.folder),
            "GATEWAY_PORT": str(self.port),
            "PORTS": self.parts,
            "RATE_LIMIT_SCALE": "0",
            "OPENAI_API_KEY": "",
        }
        program = [sys.executable, "-m", "intervai_local", command]
        return subprocess.run(program, env={**os.environ, **own}, check=False).returncode

    def start(self) -> None:
        """Starts it, with the data that it had."""
        for _ in range(STARTS):
            if self.run("up") == 0:
                return
        raise RuntimeError(f"{self.name} does not start")

    def lose(self) -> int:
        """Kills every process of it at once, as a power cut does; how many there were."""
        circus = psutil.Process(int((self.folder / "circusd.pid").read_text()))
        others = circus.children(recursive=True)
        for process in (circus, *others):  # circus first: it would start the others again
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs([circus, *others], timeout=15)
        return 1 + len(others)


@contextmanager
def two_regions(folder: Path, first_port: int) -> Iterator[tuple[Region, Region]]:
    """`eu` and `us`, ready; stopped at the end. They take a thousand ports from `first_port`."""
    eu = Region("eu", folder / "eu", first_port, f"{first_port + 10}-{first_port + 499}")
    us = Region("us", folder / "us", first_port + 500, f"{first_port + 510}-{first_port + 999}")
    try:
        for region in (eu, us):
            region.start()
        yield eu, us
    finally:
        for region in (eu, us):
            region.run("down")


def until(seconds: float, condition: Callable[[], bool]) -> float:
    """Waits until a condition holds; how long it took. Raises TimeoutError."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise TimeoutError
        time.sleep(0.1)
    return time.monotonic() - begun
