"""Writes circus's configuration: one watcher an instance."""

import json
import shlex
from collections.abc import Collection, Iterable
from configparser import RawConfigParser
from io import StringIO
from pathlib import Path

from intervai_local import spawns
from intervai_local.parts import PYTHON, Process
from intervai_local.state import LONGEST_SOCKET_PATH, State, write_private

LOG_BYTES = 10_000_000
LOG_FILES = 2
LAUNCH = Path(__file__).with_name("launch.py")


def endpoint(state: State, port: int, name: str = "circus") -> str:
    """Where circusd listens: a socket in the folder, or a port when the folder's path is too long for one."""
    path = str(state.root / f"{name}.sock")
    return f"ipc://{path}" if len(path.encode()) <= LONGEST_SOCKET_PATH else f"tcp://127.0.0.1:{port}"


def write(state: State, processes: Iterable[Process], ports: dict[str, int], running: Collection[str] = ()) -> None:
    """Write circus.ini and a file for each process; circus compares, so equal processes are left alone. Watchers of
    `running` stay as they are written: circus would restart all of them at once when newer code writes another line."""
    config, before = _parser(), _parser()
    before.read(state.circus_config)
    config["circus"] = {
        "endpoint": endpoint(state, ports["circus"]),
        "pubsub_endpoint": endpoint(state, ports["circus-events"], "circus-events"),
        "pidfile": str(state.circus_pid),
        "check_delay": "0.5",
        "umask": "077",
    }
    for process in processes:
        write_private(process_file(state, process), json.dumps(description(state, process), indent=1))
        section = f"watcher:{process.name}"
        stays = process.name in running and section in before
        config[section] = before[section] if stays else watcher(state, process)
    text = StringIO()
    config.write(text)
    write_private(state.circus_config, text.getvalue())


def _parser() -> RawConfigParser:
    parser = RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    return parser


def process_file(state: State, process: Process) -> Path:
    return state.processes / f"{process.name}.json"


def watcher(state: State, process: Process) -> dict[str, str]:
    """What circus is told of a process."""
    return {
        "cmd": shlex.join([PYTHON, "-I", str(LAUNCH), str(process_file(state, process))]),
        "working_dir": str(state.root),
        "singleton": "True",
        "respawn": "True",
        "max_retry": "-1",
        "graceful_timeout": str(process.stop_seconds),
        "stdout_stream.class": "FileStream",
        "stdout_stream.filename": str(state.logs / f"{process.name}.log"),
        "stdout_stream.max_bytes": str(LOG_BYTES),
        "stdout_stream.backup_count": str(LOG_FILES),
        "hooks.after_spawn": f"{spawns.__name__}.{spawns.record.__name__}",
    }


def description(state: State, process: Process) -> dict[str, object]:
    marks = {spawns.MARK: str(state.root), spawns.NAME: process.name}
    return {
        "command": list(process.command),
        "directory": str(state.root),
        "environment": {**process.environment, **marks},
    }
