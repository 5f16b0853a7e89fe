"""The real Traefik with what an overlay has: it finds the pods, and asks for no more than its Role allows."""

import base64
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml
from api_server import ApiServer, serving

from intervai_local import certificate

Object = dict[str, Any]
Objects = list[Object]

NAMESPACE = "intervai"
SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
#: What the folders of the container are in that of the test.
ROOMS = {"/etc/traefik/dynamic": "dynamic", "/tmp": "", "/config": "config"}  # noqa: S108
TRAEFIK = Path(sys.executable).parent / "traefik"


class Pod(BaseHTTPRequestHandler):
    """A stand-in for an API process: says which one it is."""

    def do_GET(self) -> None:
        body = f"{self.server.server_address[0]} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def pods(addresses: list[str]) -> Iterator[int]:
    """Stand-ins on several loopback addresses, all on the port that is yielded."""
    servers = [ThreadingHTTPServer((addresses[0], 0), Pod)]
    port = servers[0].server_port
    servers += [ThreadingHTTPServer((address, port), Pod) for address in addresses[1:]]
    for server in servers:
        Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield port
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def certificate_secret(folder: Path) -> tuple[Object, ssl.SSLContext]:
    """A Secret with a self-made certificate, and who trusts it."""
    files = certificate.ensure(folder / "tls")
    parts = zip(("tls.crt", "tls.key"), files, strict=True)
    data = {name: base64.b64encode(file.read_bytes()).decode() for name, file in parts}
    meta = {"name": "gateway-tls", "namespace": NAMESPACE}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": meta, "data": data}
    return secret, ssl.create_default_context(cafile=files[0])


def endpoints(service: str, port: int) -> Object:
    """Two pods that are ready, and two that are not; those of export-service are none."""
    ready = {"127.0.0.1": True, "127.0.0.2": True, "127.0.0.3": False}
    states = [{"addresses": [one], "conditions": {"ready": state, "serving": state}} for one, state in ready.items()]
    meta = {"name": f"{service}-1", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": service}}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": meta,
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [] if service == "export-service" else states,
    }


def written(rendered: Objects, folder: Path, api: str) -> dict[str, int]:
    """What the gateway's container makes of its ConfigMaps, by the lines of its own command; the ports it takes."""
    data = {name: text for one in rendered if one["kind"] == "ConfigMap" for name, text in one["data"].items()}
    [gateway] = [one for one in rendered if (one["kind"], one["metadata"]["name"]) == ("Deployment", "gateway")]
    for name in ("config/static", "config/dynamic", "dynamic"):
        (folder / name).mkdir(parents=True)
    for name in ("static.sh", "traefik.yml", "kubernetes-provider.yml"):
        (folder / "config/static" / name).write_text(data[name])
    for name in ("routers.yml", "middlewares.yml", "tls.yml", "services.yml"):
        (folder / "config/dynamic" / name).write_text(data[name])
    script = gateway["spec"]["template"]["spec"]["containers"][0]["command"][2]
    script = re.sub(r"/etc/traefik/dynamic|/tmp(?=/)|/config(?=/)", lambda found: f"{folder}/{ROOMS[found[0]]}", script)
    settings = {name: data[name] for name in ("GATEWAY_TLS", "RATE_LIMIT_SCALE", "CORS_ORIGINS", "TRUSTED_PROXIES")}
    lines = [line for line in script.splitlines() if not line.startswith("exec ")]
    subprocess.run(["/bin/sh", "-ec", "\n".join(lines)], env={"PATH": os.defpath, **settings}, check=True)
    return adapted(folder, api)


def adapted(folder: Path, api: str) -> dict[str, int]:
    """Ports of this machine, the API server of the test, and Traefik's own view of what it has read."""
    static = yaml.safe_load((folder / "traefik.yml").read_text())
    ports = {name: free_port() for name in (*static["entryPoints"], "traefik")}
    static["entryPoints"]["traefik"] = {}
    for name, port in ports.items():
        static["entryPoints"][name]["address"] = f"127.0.0.1:{port}"
    static["providers"]["file"]["directory"] = str(folder / "dynamic")
    static["providers"]["kubernetesCRD"]["endpoint"] = api
    static["api"] = {"insecure": True}
    (folder / "traefik.yml").write_text(yaml.safe_dump(static, sort_keys=False))
    return ports


def answer(url: str, trust: ssl.SSLContext | None = None) -> tuple[int, str]:
    """Status and text; (0, …) when nobody listens."""
    try:
        with urlopen(Request(url), timeout=10, context=trust) as reply:  # noqa: S310  loopback
            return reply.status, reply.read().decode()
    except OSError as error:
        return getattr(error, "code", 0), str(error)


class Gateway:
    """A running Traefik, the API server that it asks, and its log."""

    def __init__(self, ports: dict[str, int], api: ApiServer, log: Path, trust: ssl.SSLContext) -> None:
        self.ports, self.api, self.log, self.trust = ports, api, log, trust

    def get(self, entry_point: str, path: str) -> tuple[int, str]:
        if entry_point == "websecure":
            return answer(f"https://127.0.0.1:{self.ports[entry_point]}{path}", self.trust)
        return answer(f"http://127.0.0.1:{self.ports[entry_point]}{path}")

    def view(self) -> Object:
        status, text = self.get("traefik", "/api/rawdata")
        read: Object = json.loads(text) if status == 200 else {}
        return read

    def is_ready(self) -> bool:
        services = self.view().get("services", {})
        return all(services.get(f"{name}@file", {}).get("status") == "enabled" for name in SERVICES)


@pytest.fixture(scope="module")
def gateway(rendered: Objects, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Traefik with tier 2's objects and settings, once it has read them."""
    folder = tmp_path_factory.mktemp("gateway")
    secret, trust = certificate_secret(folder)
    with pods(["127.0.0.1", "127.0.0.2"]) as port:
        objects = [*rendered, secret, *(endpoints(name, port) for name in SERVICES)]
        with serving(objects) as api:
            ports = written(rendered, folder, api.url)
            with (folder / "log").open("w") as log:
                process = subprocess.Popen([TRAEFIK, f"--configFile={folder}/traefik.yml"], stdout=log, stderr=log)
            try:
                found = Gateway(ports, api, folder / "log", trust)
                deadline = time.monotonic() + 100
                while not found.is_ready() and time.monotonic() < deadline:
                    assert process.poll() is None, (folder / "log").read_text()[-2000:]
                    time.sleep(0.2)
                yield found
            finally:
                process.terminate()
                process.wait()
    shutil.rmtree(folder)


def test_it_balances_over_the_ready_pods_by_the_strategy_of_the_gateway(gateway: Gateway) -> None:
    services = gateway.view()["services"]
    for name in SERVICES:
        told = services[f"{NAMESPACE}-{name}-http@kubernetescrd"]["loadBalancer"]
        assert (told["strategy"], told["passiveHealthCheck"]["maxFailedAttempts"]) == ("p2c", 5)
        hosts = sorted(
            server["url"].split(":")[1].strip("/") for server in told.get("servers", []) if not server.get("fenced")
        )
        assert hosts == ([] if name == "export-service" else ["127.0.0.1", "127.0.0.2"])


def test_requests_reach_both_ready_pods_and_no_other(gateway: Gateway) -> None:
    replies = [gateway.get("internal", f"/qa-service/internal/{number}") for number in range(40)]
    assert {status for status, _ in replies} == {200}
    assert {text.split()[0] for _, text in replies} == {"127.0.0.1", "127.0.0.2"}
    assert {text.split()[1] for _, text in replies} == {f"/internal/{number}" for number in range(40)}


def test_a_service_without_a_ready_pod_is_503_and_not_404(gateway: Gateway) -> None:
    assert gateway.get("internal", "/export-service/internal/x")[0] == 503


def test_the_public_routes_are_those_of_the_gateway_and_all_are_in_use(gateway: Gateway) -> None:
    view = gateway.view()["routers"]
    source = yaml.safe_load((Path(__file__).parents[3] / "gateway/dynamic/routers.yml").read_text())["http"]["routers"]
    ours = {name: one for name, one in view.items() if name.endswith("@file")}
    assert {name for name, one in ours.items() if one["status"] != "enabled"} == set()
    assert len({name for name in source if any(each.endswith(f"{name}@file") for each in ours)}) == len(source)
    assert not [name for name in view if name.endswith("@kubernetescrd")]
    assert gateway.get("internal", "/metrics")[0] == 200
    assert {gateway.get("websecure", path)[0] for path in ("/metrics", "/health/ready", "/internal/x")} == {404}


def test_people_come_by_tls_with_the_certificate_of_the_secret(gateway: Gateway) -> None:
    status, text = gateway.get("websecure", "/api/v1/analytics/trending")
    assert (status, text.split()[1]) == (200, "/api/v1/analytics/trending")


def test_it_asks_kubernetes_for_no_more_than_its_role_allows(gateway: Gateway, rendered: Objects) -> None:
    [role] = [one for one in rendered if one["kind"] == "Role"]
    allowed = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    deadline = time.monotonic() + 30  # the first watches follow the lists
    while len(gateway.api.asked) < 28 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ("traefik.io", "traefikservices", "watch") in gateway.api.asked
    assert gateway.api.asked <= allowed
    assert {resource for _, resource, _ in allowed} == {resource for _, resource, _ in gateway.api.asked}


def test_traefik_finds_nothing_wrong(gateway: Gateway) -> None:
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]
    errors = [line.get("error", line.get("message", "")) for line in lines if line["level"] in {"error", "fatal"}]
    assert any(line.get("providerName") == "kubernetescrd" for line in lines)
    # The routes may be there before the first list of services is.
    assert [each for each in errors if "does not exist" not in each] == []
