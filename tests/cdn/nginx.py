"""The real nginx with a template of deploy/, and an origin that tells what reached it."""

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EDGE = ROOT / "deploy/cdn/nginx.conf.template"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")


@dataclass
class Edge:
    """A running nginx and its folder."""

    url: str
    folder: Path


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@contextmanager
def running_nginx(template: Path, **values: str) -> Iterator[Edge]:
    """nginx with a template whose `${NAME}` are filled in; STATE and LISTEN are made up. One process, in front."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="edge-", dir="/tmp") as folder:
        text = template.read_text()
        for name, value in {**values, "STATE": folder, "LISTEN": f"127.0.0.1:{port}"}.items():
            text = text.replace(f"${{{name}}}", value)
        (Path(folder) / "nginx.conf").write_text(text)
        assert NGINX is not None
        command = [NGINX, "-p", folder, "-c", f"{folder}/nginx.conf", "-g", "daemon off; master_process off;"]
        with (Path(folder) / "stderr").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _await_port(port, process, Path(folder) / "stderr")
            yield Edge(f"http://127.0.0.1:{port}", Path(folder))
        finally:
            process.terminate()
            process.wait(15)


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


@dataclass
class Asked:
    """A request as the origin got it."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Origin:
    """A server whose answers a test chooses by path: status, headers and body of a request."""

    answers: dict[str, Callable[[Asked], tuple[int, dict[str, str], bytes]]] = field(default_factory=dict)
    streams: dict[str, Callable[[Callable[[bytes], None]], None]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    def start(self, port: int = 0) -> int:
        handler = type("Bound", (_Handler,), {"origin": self})
        self.server = _Server(("127.0.0.1", port), handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return int(self.server.server_address[1])

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def says(self, path: str, cache_control: str, body: bytes = b"{}", status: int = 200, **headers: str) -> None:
        """An answer that is always the same; with an `etag` it heeds If-None-Match."""
        told = {"Cache-Control": cache_control, **{name.replace("_", "-"): value for name, value in headers.items()}}

        def answer(request: Asked) -> tuple[int, dict[str, str], bytes]:
            if request.headers.get("If-None-Match") == headers.get("etag", ""):
                return 304, told, b""
            return status, told, body

        self.answers[path] = answer

    def asked_for(self, path: str) -> list[Asked]:
        return [request for request in self.asked if request.path == path]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    origin: Origin

    def answer(self) -> None:
        request = Asked(self.command, self.path, dict(self.headers))
        self.origin.asked.append(request)
        if stream := self.origin.streams.get(self.path):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Accel-Buffering", "no")
            self.end_headers()
            return stream(self.wfile.write)
        chosen = self.origin.answers.get(self.path.partition("?")[0])
        status, headers, body = chosen(request) if chosen else (404, {"Cache-Control": "no-store"}, b"{}")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 304 and self.command != "HEAD":
            self.wfile.write(body)
        return None

    def log_message(self, *_: object) -> None:
        pass

    do_GET = do_HEAD = do_POST = answer  # noqa: N815
