"""The real Traefik with the files of gateway/, before servers that tell what reached them."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from intervai_local import gateway_config, probes
from intervai_local.state import SERVICES, State

EVENT_SECONDS = 0.4


@dataclass
class Backend:
    """An instance of a service. `drop` is how many next requests it closes without an answer."""

    ready: bool = True
    drop: int = 0
    seen: list[str] = field(default_factory=list)
    port: int = 0


class Handler(BaseHTTPRequestHandler):
    """Answers with what it got: method, path, headers and body size."""

    protocol_version = "HTTP/1.1"
    backend: Backend

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/health/ready":
            return self.send(200 if self.backend.ready else 503, b"{}")
        self.backend.seen.append(f"{self.command} {self.path}")
        if self.backend.drop:
            self.backend.drop -= 1
            self.close_connection = True
            return None
        if self.path.endswith("/events"):
            return self.stream()
        told = {"method": self.command, "path": self.path, "headers": dict(self.headers), "size": len(body)}
        filling = " " * 5000 if self.path.endswith("/long") else ""
        status = 404 if self.path.endswith("/refused") else 200
        return self.send(status, (json.dumps(told | {"port": self.backend.port}) + filling).encode())

    def send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def stream(self) -> None:
        """Three events, some time apart."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(3):
            self.wfile.write(b"data: " + str(number).encode() * 2000 + b"\n\n")
            time.sleep(EVENT_SECONDS)

    def log_message(self, *_: object) -> None:
        pass

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815


@dataclass
class Edge:
    """A running gateway: clients for both entry points, and the instances behind it by service."""

    public: httpx.Client
    internal: httpx.Client
    backends: dict[str, list[Backend]]
    port: int
    log: Path


def serve(backend: Backend) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"backend": backend}))
    server.daemon_threads = True
    backend.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def start_traefik(state: State, backends: dict[str, list[Backend]], scale: str) -> tuple[subprocess.Popen[bytes], Edge]:
    ports = state.ports(["gateway", "internal"])
    gateway_config.write_static(state, "127.0.0.1", ports["gateway"], ports["internal"])
    numbered = {f"{name}-{i}": item.port for name, group in backends.items() for i, item in enumerate(group, 1)}
    gateway_config.write_services(state, {name: len(group) for name, group in backends.items()}, numbered)
    command = [str(Path(sys.executable).with_name("traefik")), f"--configFile={state.gateway / 'traefik.yml'}"]
    with (state.logs / "traefik.log").open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, "RATE_LIMIT_SCALE": scale}, stdout=log, stderr=log)
    public = httpx.Client(base_url=f"http://127.0.0.1:{ports['gateway']}", trust_env=False)
    internal = httpx.Client(base_url=f"http://127.0.0.1:{ports['internal']}", trust_env=False)
    return process, Edge(public, internal, backends, ports["gateway"], state.logs / "traefik.log")


def await_routes(edge: Edge, process: subprocess.Popen[bytes], log: Path) -> None:
    answers, deadline = probes.http(edge.port, "/.well-known/jwks.json"), time.monotonic() + 10
    while not answers():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def start_edge() -> Iterator[Callable[[str], Edge]]:
    """Starts a gateway with a RATE_LIMIT_SCALE; two instances of qa-service, one of each other service."""
    started: list[subprocess.Popen[bytes]] = []
    servers: list[ThreadingHTTPServer] = []
    with tempfile.TemporaryDirectory(prefix="gwt-", dir="/tmp") as folder:

        def start(scale: str) -> Edge:
            state = State(Path(folder) / f"s{len(started)}")
            state.create()
            backends = {name: [Backend() for _ in range(2 if name == "qa-service" else 1)] for name in SERVICES}
            servers.extend(serve(item) for group in backends.values() for item in group)
            process, edge = start_traefik(state, backends, scale)
            started.append(process)
            await_routes(edge, process, state.logs / "traefik.log")
            return edge

        yield start
        for process in started:
            process.terminate()
            process.wait(15)
        for server in servers:
            server.shutdown()


@pytest.fixture(scope="module")
def edge(start_edge: Callable[[str], Edge]) -> Edge:
    """A gateway without rate limits."""
    return start_edge("0")
