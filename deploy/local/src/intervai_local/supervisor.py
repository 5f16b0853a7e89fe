"""Talks to circus, and finds the processes of a suite even when circus is gone."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from circus.client import CircusClient
from circus.exc import CallError

from intervai_local import spawns
from intervai_local.circus_config import endpoint
from intervai_local.state import State, SuiteError

CIRCUSD = "circusd"
ANSWER_SECONDS = 5
QUIT_SECONDS = 60
BUSY_SECONDS = 30
RELOAD_SECONDS = 60  # it starts what is new before it answers, and on a busy machine that takes its time


class Supervisor:
    """The circusd of one suite."""

    def __init__(self, state: State) -> None:
        self.state = state

    def start(self) -> None:
        """Start circusd in a session of its own, so that Ctrl-C reaches only the runner."""
        self.state.spawns.unlink(missing_ok=True)
        self.state.circus_pid.unlink(missing_ok=True)
        marks = {spawns.MARK: str(self.state.root), spawns.NAME: CIRCUSD}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with (self.state.logs / f"{CIRCUSD}.log").open("w") as log:
            subprocess.Popen(  # noqa: S603
                [str(Path(sys.executable).with_name(CIRCUSD)), str(self.state.circus_config)],
                cwd=self.state.root,
                env=kept | marks,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        """Whether this suite's circusd lives; a stale pid file, or another program with its pid, does not count."""
        try:
            pid = int(self.state.circus_pid.read_text())
            environment: dict[str, str] = psutil.Process(pid).environ()
            return environment.get(spawns.MARK) == str(self.state.root)
        except (OSError, ValueError, psutil.Error):
            return False

    def call(self, command: str, *, timeout: float = ANSWER_SECONDS, **properties: Any) -> None:
        """Send a command; wait while circus is busy with another.

        Raises:
            SuiteError: circus refused, or did not answer in `timeout` seconds.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            answer = self._ask(command, timeout, properties)
            if answer.get("status") == "ok":
                return
            reason = str(answer.get("reason"))
            if "already running" not in reason or time.monotonic() > deadline:
                raise SuiteError(f"circus refused {command}: {reason}; see {self.state.logs / 'circusd.log'}")
            time.sleep(0.05)

    def _ask(self, command: str, timeout: float, properties: dict[str, Any]) -> dict[str, Any]:
        client = CircusClient(endpoint=endpoint(self.state, self.state.read("ports.json")["circus"]), timeout=timeout)
        try:
            answer: dict[str, Any] = client.call({"command": command, "properties": properties})
        except CallError as error:
            raise SuiteError(f"circus did not answer {command}: {error}; try `make down`") from error
        finally:
            client.stop()
        return answer

    def stop(self, names: Iterable[str], seconds: float) -> None:
        """Stop watchers together, gracefully, and wait for their end."""
        if chosen := sorted(names):
            self.call("stop", timeout=seconds, name=_any_of(chosen), match="regex", waiting=True)

    def start_again(self, names: Iterable[str]) -> None:
        """Start watchers that were stopped."""
        if chosen := sorted(names):
            spawns.forget(self.state.spawns, chosen)  # that they ended is no failure
            self.call("start", timeout=RELOAD_SECONDS, name=_any_of(chosen), match="regex", waiting=True)

    def reload(self, seconds: float = RELOAD_SECONDS) -> None:
        """Make circus follow its rewritten configuration."""
        self.call("reloadconfig", timeout=seconds, waiting=True)

    def quit(self) -> None:
        """Stop what is left, then circusd itself."""
        pid = int(self.state.circus_pid.read_text())
        self.call("quit")
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=QUIT_SECONDS)

    def pids(self) -> dict[str, list[int]]:
        """Pids that each instance has had since `up`, the present one last."""
        return spawns.read(self.state.spawns)


def _any_of(names: Iterable[str]) -> str:
    return f"^({'|'.join(map(re.escape, names))})$"


def processes_of(state: State) -> dict[str, list[psutil.Process]]:
    """Every living process of the suite by name, found by the mark in its environment."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        if environment.get(spawns.MARK) == str(state.root) and process.status() != psutil.STATUS_ZOMBIE:
            found.setdefault(environment.get(spawns.NAME, "?"), []).append(process)
    return found


def stop_processes(processes: Iterable[psutil.Process], seconds: float) -> None:
    """Ask processes to end, and kill those that have not after some seconds."""
    asked = list(processes)
    for process in asked:
        _signal(process, "terminate")
    _, alive = psutil.wait_procs(asked, timeout=seconds)
    for process in alive:
        _signal(process, "kill")
    psutil.wait_procs(alive, timeout=seconds)


def _signal(process: psutil.Process, name: str) -> None:
    try:
        getattr(process, name)()
    except psutil.NoSuchProcess:
        return


def remove_sockets(state: State) -> None:
    """Delete the sockets that weed leaves in /tmp, whatever TMPDIR says, when it is killed."""
    ports = [port for name, port in state.read("ports.json").items() if name.startswith("s3")]
    for port in ports:
        for file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
            file.unlink(missing_ok=True)
