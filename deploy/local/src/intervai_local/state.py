"""What a suite remembers between starts: its folder, ports, secrets and instance counts."""

import base64
import fcntl
import json
import os
import random
import secrets
import shutil
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[4]
HOST = "127.0.0.1"
# Below the kernel's ephemeral range, so that no outgoing connection takes a port while its part restarts. PORTS chooses
# a part of it, like `20000-25999`: two suites that start in the same second may choose the same port.
_FIRST, _LAST = (os.environ.get("PORTS") or "20000-31999").split("-")
PORT_RANGE = range(int(_FIRST), int(_LAST) + 1)
#: Who asks for tokens beside the services: people with the right to mend things.
OPERATOR = "operator"
SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
LONGEST_SOCKET_PATH = 100  # bytes; the kernel allows 107


class SuiteError(Exception):
    """Something the reader can mend; its text is what to print."""


@dataclass(frozen=True)
class State:
    """The folder of one suite (`STATE_DIR`); everything that a suite writes is in it."""

    root: Path

    @classmethod
    def from_environment(cls) -> "State":
        return cls((REPOSITORY / (os.environ.get("STATE_DIR") or ".local")).resolve())

    @property
    def marker(self) -> Path:
        return self.root / ".intervai-state"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def gateway(self) -> Path:
        return self.root / "gateway"

    @property
    def processes(self) -> Path:
        """One JSON file a process: its command and environment."""
        return self.root / "processes"

    @property
    def spawns(self) -> Path:
        """One line `name pid` for each process that circus started since `up`."""
        return self.root / "spawns.log"

    @property
    def circus_config(self) -> Path:
        return self.root / "circus.ini"

    @property
    def circus_pid(self) -> Path:
        return self.root / "circusd.pid"

    def create(self) -> None:
        """Make the folders, readable by the owner only.

        Raises:
            SuiteError: the folder exists, is not empty, and is not ours.
        """
        if self.root.exists() and not self.marker.exists() and any(self.root.iterdir()):
            raise SuiteError(f"{self.root} is not empty and no suite made it; set STATE_DIR to another folder")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        self.marker.touch()
        for folder in (
            self.logs,
            self.mail,
            self.gateway / "dynamic",
            self.processes,
            *map(self.data, ("mongo", "valkey", "s3")),
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def data(self, part: str) -> Path:
        """The data folder of a part."""
        return self.root / "data" / part

    def remove(self) -> None:
        """Delete the folder with all data.

        Raises:
            SuiteError: the folder does not carry our marker.
        """
        if not self.root.exists():
            return
        if not self.marker.exists():
            raise SuiteError(f"{self.root} was not made by this runner; remove it yourself if you mean to")
        shutil.rmtree(self.root)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the suite's lock: up, down and scale must not run at the same time."""
        self.create()
        with (self.root / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SuiteError(f"another up, down or scale is at work on {self.root}; wait for it") from error
            yield

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder; empty when it is not there."""
        path = self.root / name
        content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return content

    def write(self, name: str, content: dict[str, Any]) -> None:
        write_private(self.root / name, json.dumps(content, indent=1))

    def ports(
        self, names: Iterable[str], running: Iterable[str] = (), excluding: Collection[int] = ()
    ) -> dict[str, int]:
        """The port of each name: the remembered one unless another program took it.

        Args:
            running: names whose process is up, so that a port in use is its own.
            excluding: ports that are free now, but spoken for, like the gateway's.
        """
        remembered, keep, chosen = self.read("ports.json"), set(running), dict[str, int]()
        for name in names:
            port = remembered.get(name)
            if port is None or (name not in keep and (port in excluding or not is_free(port))):
                port = free_port(excluding={*remembered.values(), *chosen.values(), *excluding})
            chosen[name] = port
        self.write("ports.json", {**remembered, **chosen})
        return chosen

    def secrets(self) -> dict[str, str]:
        """The suite's secrets, made at the first start."""
        known = self.read("secrets.json")
        fresh = {
            "redis": secrets.token_urlsafe(24),
            "s3_access_key": secrets.token_hex(10).upper(),
            "s3_secret_key": secrets.token_urlsafe(30),
            "key_encryption_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "record_signing_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            **{name: secrets.token_urlsafe(24) for name in (*SERVICES, OPERATOR)},
        }
        if fresh.keys() - known.keys():
            known = {**fresh, **known}
            self.write("secrets.json", known)
        return known


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(excluding: Collection[int] = ()) -> int:
    """A random free port of PORT_RANGE, so that suites side by side do not meet."""
    for port in random.sample(PORT_RANGE, len(PORT_RANGE)):
        if port not in excluding and is_free(port):
            return port
    raise SuiteError(f"no free port between {PORT_RANGE.start} and {PORT_RANGE.stop}")
