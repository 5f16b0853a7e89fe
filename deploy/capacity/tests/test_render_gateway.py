"""The gateway of Render: it finds every instance by name, and the real Traefik goes by what it writes."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from intervai_capacity.tiers import REPOSITORY
from intervai_local.state import free_port

FOLDER = REPOSITORY / "deploy" / "render" / "gateway"
SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
NAMES = {"AUTH_SERVICE_HOST": "auth", "USER_SERVICE_HOST": "user", "QA_SERVICE_HOST": "qa", "EXPORT_SERVICE_HOST": "x"}


@pytest.fixture
def discover(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("SERVICE_PORT", "8000")
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(FOLDER / "discover.py"))


def answer(monkeypatch: pytest.MonkeyPatch, known: dict[str, list[str]]) -> None:
    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror
        return [(0, 0, 0, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_every_address_of_a_name_is_a_server(discover: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, {"qa-discovery": ["10.0.0.7", "10.0.0.5", "10.0.0.7"], "auth-discovery": ["fd00::1"]})
    servers = discover["look"]({})
    assert servers["qa-service"] == ["http://10.0.0.5:8000", "http://10.0.0.7:8000"]
    assert servers["auth-service"] == ["http://[fd00::1]:8000"]
    assert servers["user-service"] == []


def test_a_silent_name_server_changes_nothing(discover: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, {"qa-discovery": ["10.0.0.5"]})
    known = discover["look"]({})
    answer(monkeypatch, {})
    assert discover["look"](known) == known


def test_load_is_balanced_as_everywhere(discover: dict[str, Any]) -> None:
    balancer = json.loads((FOLDER / "load-balancer.json").read_text())
    assert balancer == yaml.safe_load((REPOSITORY / "gateway" / "load-balancer.yml").read_text())
    services = discover["configuration"](balancer, {"qa-service": ["http://a", "http://b"]})["http"]["services"]
    ready = services["qa-service-ready"]["loadBalancer"]
    assert (ready["strategy"], ready["healthCheck"]["path"]) == ("p2c", "/health/ready")
    assert ready["servers"] == [{"url": "http://a"}, {"url": "http://b"}]
    assert "healthCheck" not in services["qa-service-all"]["loadBalancer"]


class Instance(BaseHTTPRequestHandler):
    """Any service: ready, and says what it was asked."""

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "client": self.headers.get("X-Real-Ip")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[str]:
    """discover.py with the real Traefik and one instance, at free ports."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Instance)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    files, public = tmp_path / "files", free_port()
    subprocess.run(["cp", "-r", str(REPOSITORY / "gateway"), str(files)], check=True)
    subprocess.run(["cp", str(FOLDER / "health.yml"), str(files / "dynamic")], check=True)
    subprocess.run(["cp", str(FOLDER / "load-balancer.json"), str(files)], check=True)
    ports = {":8080": public, ":8081": free_port(), ":8443": free_port()}
    static = files / "traefik.yml"
    for old, new in ports.items():
        static.write_text(static.read_text().replace(f'address: "{old}"', f'address: "127.0.0.1:{new}"'))
    environment = dict.fromkeys(NAMES, "127.0.0.1") | {"SERVICE_PORT": str(server.server_port), "DISCOVERY_SUFFIX": ""}
    environment |= {"GATEWAY_FILES": str(files), "GATEWAY_DIR": str(tmp_path / "run"), "PATH": os.environ["PATH"]}
    environment |= {"TRAEFIK": str(Path(sys.executable).with_name("traefik")), "TRUSTED_PROXIES": "127.0.0.0/8"}
    (tmp_path / "run").mkdir()
    process = subprocess.Popen([sys.executable, str(FOLDER / "discover.py")], env=environment)
    yield f"http://127.0.0.1:{public}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    server.shutdown()


def test_traefik_goes_by_it(gateway: str) -> None:
    """The instance gets the request; a trusted proxy is believed who the client is; Render's check has its answer."""
    path, headers = "/api/v1/analytics/trending", {"X-Real-Ip": "203.0.113.9", "X-Forwarded-For": "203.0.113.9"}
    with httpx.Client(base_url=gateway) as http:
        for _ in range(300):
            try:
                if (told := http.get(path, headers=headers)).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        assert told.json() == {"path": path, "client": "203.0.113.9"}
        assert http.get("/gateway-alive").status_code == 200
        assert http.get("/health/ready").status_code == 404
        assert http.get("/metrics").status_code == 404
