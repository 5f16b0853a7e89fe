"""The real Traefik with the files of gateway/, before servers that tell what reached them."""

import gzip
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from intervai_local import environment, gateway_config, probes
from intervai_local.state import SERVICES, State

EVENT_SECONDS = 0.4
HANG_SECONDS = 60


@dataclass
class Backend:
    """An instance of a service. `drop` is how many next requests it closes without an answer, `refuse` how many it
    answers with a problem; while it hangs it answers nothing, probes neither."""

    ready: bool = True
    drop: int = 0
    refuse: int = 0
    hang: bool = False
    seen: list[str] = field(default_factory=list)
    port: int = 0


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Handler(Quiet):
    """Answers with what it got: method, path, headers and body size."""

    protocol_version = "HTTP/1.1"
    backend: Backend

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/health/ready":
            self.backend.seen.append(f"{self.command} {self.path}")
        ends = time.monotonic() + HANG_SECONDS
        while self.backend.hang and time.monotonic() < ends:
            time.sleep(0.05)
        if self.path == "/health/ready":
            return self.send(200 if self.backend.ready else 503, b"{}")
        if self.backend.refuse:
            self.backend.refuse -= 1
            return self.send(503, b"{}", "Retry-After: 2")
        if self.backend.drop:
            self.backend.drop -= 1
            self.close_connection = True
            return None
        if self.path.endswith("/events"):
            return self.stream()
        told = {"method": self.command, "path": self.path, "headers": dict(self.headers), "size": len(body)}
        filling = " " * 5000 if self.path.endswith("/long") else ""
        status = 404 if self.path.partition("?")[0].endswith("/refused") else 200
        return self.send(status, (json.dumps(told | {"port": self.backend.port}) + filling).encode())

    def send(self, status: int, body: bytes, *headers: str) -> None:
        self.send_response(status)
        for header in headers:
            self.send_header(*header.split(": "))
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

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815


@dataclass
class Collector:
    """Takes spans as an OpenTelemetry collector does: OTLP over HTTP."""

    spans: list[Span] = field(default_factory=list)
    url: str = ""

    def await_span(self, trace: str, kind: "Span.SpanKind.ValueType") -> Span:
        """The span of this kind of a trace, by the trace's hexadecimal id."""
        deadline = time.monotonic() + 40  # Traefik sends them every five seconds
        while time.monotonic() < deadline:
            if found := [span for span in list(self.spans) if span.trace_id.hex() == trace and span.kind == kind]:
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"no span of trace {trace} among {len(self.spans)}")


class Receiver(Quiet):
    collector: Collector

    def do_POST(self) -> None:
        body = gzip.decompress(b"".join(self.chunks()))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def chunks(self) -> Iterator[bytes]:
        """The body, of a length that is not told (RFC 9112, section 7.1)."""
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


@pytest.fixture(scope="session")
def collector() -> Collector:
    """Where the gateway `furnished` sends its spans."""
    made = Collector()
    server = QuietServer(("127.0.0.1", 0), type("Bound", (Receiver,), {"collector": made}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    return made


Backends = dict[str, list[Backend]]


@dataclass
class Edge:
    """A running gateway: clients for its entry points, and the instances behind it by service.

    `secure` is for websecure, and trusts the gateway's own certificate; without TLS nobody listens there.
    """

    public: httpx.Client
    internal: httpx.Client
    secure: httpx.Client
    backends: Backends
    port: int
    tls_port: int
    internal_port: int
    state: State

    @property
    def log(self) -> Path:
        return self.state.logs / "traefik.log"


StartEdge = Callable[..., Edge]


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A probe that went away before its answer."""


def serve(backend: Backend) -> None:
    server = QuietServer(("127.0.0.1", 0), type("Bound", (Handler,), {"backend": backend}))
    backend.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()


def start_traefik(state: State, backends: Backends, given: dict[str, str]) -> tuple[subprocess.Popen[bytes], Edge]:
    ports = state.ports(["gateway", "internal", "tls"])
    settings = environment.gateway({"GATEWAY_TLS_PORT": str(ports["tls"]), **given}) | given
    gateway_config.write_static(state, "127.0.0.1", ports["gateway"], ports["internal"], settings)
    numbered = {f"{name}-{i}": item.port for name, group in backends.items() for i, item in enumerate(group, 1)}
    gateway_config.write_services(state, {name: len(group) for name, group in backends.items()}, numbered)
    command = [str(Path(sys.executable).with_name("traefik")), f"--configFile={state.gateway / 'traefik.yml'}"]
    with (state.logs / "traefik.log").open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)
    certificate = state.root / "tls" / "certificate.pem"
    trusted = ssl.create_default_context(cafile=certificate) if certificate.exists() else False
    clients = [client(f"http://127.0.0.1:{ports[name]}") for name in ("gateway", "internal")]
    clients.append(client(f"https://localhost:{ports['tls']}", trusted))
    return process, Edge(*clients, backends, ports["gateway"], ports["tls"], ports["internal"], state)


def client(base_url: str, verify: ssl.SSLContext | bool = False) -> httpx.Client:
    return httpx.Client(base_url=base_url, trust_env=False, verify=verify, timeout=30)


def await_routes(edge: Edge, process: subprocess.Popen[bytes], log: Path) -> None:
    answers, deadline = probes.http(edge.internal_port, "/.well-known/jwks.json"), time.monotonic() + 60
    while not answers():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


@pytest.fixture(scope="session")
def start_edge() -> Iterator[StartEdge]:
    """Starts a gateway with such settings; two instances of qa-service, one of each other service."""
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="gwt-", dir="/tmp") as folder:

        def start(scale: str = "0", **settings: str) -> Edge:
            state = State(Path(folder) / f"s{len(started)}")
            state.create()
            backends = {name: [Backend() for _ in range(2 if name == "qa-service" else 1)] for name in SERVICES}
            for backend in chain.from_iterable(backends.values()):
                serve(backend)
            process, edge = start_traefik(state, backends, {"RATE_LIMIT_SCALE": scale, **settings})
            started.append(process)
            await_routes(edge, process, state.logs / "traefik.log")
            return edge

        yield start
        for process in started:
            process.kill()  # it has nothing to save, and would wait for streams
            process.wait()


@pytest.fixture(scope="session")
def edge(start_edge: StartEdge) -> Edge:
    """A gateway without rate limits."""
    return start_edge()


@pytest.fixture(scope="session")
def furnished(start_edge: StartEdge, collector: Collector) -> Edge:
    """A gateway with all that settings can add: TLS, origins that may ask, a collector of traces."""
    return start_edge(
        GATEWAY_TLS="self-made",
        HSTS_SECONDS="600",
        CORS_ORIGINS="https://app.example.com,http://localhost:5173",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector.url,
        OTEL_TRACES_SAMPLER_ARG="1",
    )
