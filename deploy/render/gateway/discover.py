"""Traefik on Render, with the instances of each service as its servers.

Render's name of a private service leads to a balancer of its own, and `NAME-discovery` to the addresses of all running
instances (https://render.com/docs/private-network). Traefik itself would take one address of a name
(https://github.com/traefik/traefik/issues/11083), so this resolves them every few seconds and writes a server list when
they have changed: then `p2c` and the health checks of gateway/load-balancer.yml work by instance, as everywhere.
Traefik starts once every service has an instance, or after a minute. Only Python's own library is used.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
CHECKS = ("healthCheck", "passiveHealthCheck")
EVERY_SECONDS = 2
PATIENCE_SECONDS = 60
Servers = dict[str, list[str]]


def addresses(host: str) -> list[str]:
    """Of all instances, sorted; none if the name is not known (now)."""
    try:
        found = socket.getaddrinfo(
            host + os.environ.get("DISCOVERY_SUFFIX", "-discovery"), None, type=socket.SOCK_STREAM
        )
    except OSError:
        return []
    return sorted({str(info[4][0]) for info in found})


def look(known: Servers) -> Servers:
    """The URLs of each service's instances; those that were known where no name answers, since DNS may be away."""
    port = os.environ["SERVICE_PORT"]
    servers = {}
    for service in SERVICES:
        hosts = addresses(os.environ[service.upper().replace("-", "_") + "_HOST"])
        urls = [f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}" for host in hosts]
        servers[service] = urls or known.get(service, [])
    return servers


def configuration(balancer: dict[str, Any], servers: Servers) -> dict[str, Any]:
    """Traefik's services: the instances that are ready; when none is, all of them, since they know what still works."""
    unchecked = {key: value for key, value in balancer.items() if key not in CHECKS}
    services: dict[str, Any] = {}
    for name, urls in servers.items():
        listed = [{"url": url} for url in urls]
        services[name] = {"failover": {"service": f"{name}-ready", "fallback": f"{name}-all"}}
        services[f"{name}-ready"] = {"loadBalancer": {**balancer, "servers": listed}}
        services[f"{name}-all"] = {"loadBalancer": {**unchecked, "servers": listed}}
    return {"http": {"services": services}}


def write(file: Path, content: dict[str, Any]) -> None:
    """At once, so that Traefik never reads half of it. JSON is YAML."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=1))
    fresh.replace(file)


def prepare(source: Path, folder: Path) -> dict[str, Any]:
    """Copies routes and static file to where they can be written.

    Returns:
        What gateway/load-balancer.yml says.
    """
    shutil.copytree(source / "dynamic", folder / "dynamic", dirs_exist_ok=True)
    command = ["sh", str(source / "static.sh")]
    static = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    (folder / "traefik.yml").write_text(static.replace("/etc/traefik/dynamic", str(folder / "dynamic")))
    balancer: dict[str, Any] = json.loads((source / "load-balancer.json").read_text())
    return balancer


def main() -> int:
    """Runs Traefik until it ends; SIGTERM is passed on.

    Returns:
        Traefik's exit code.
    """
    source = Path(os.environ.get("GATEWAY_FILES", "/etc/gateway"))
    folder = Path(os.environ.get("GATEWAY_DIR", "/tmp/gateway"))  # noqa: S108  all else is read-only
    balancer, ended = prepare(source, folder), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    file, servers, started = folder / "dynamic" / "services.yml", look({}), time.monotonic()
    while not all(servers.values()) and time.monotonic() < started + PATIENCE_SECONDS and not ended.wait(EVERY_SECONDS):
        servers = look(servers)
    write(file, configuration(balancer, servers))
    traefik = subprocess.Popen([os.environ.get("TRAEFIK", "traefik"), f"--configFile={folder / 'traefik.yml'}"])  # noqa: S603
    while traefik.poll() is None and not ended.wait(EVERY_SECONDS):
        fresh = look(servers)
        if fresh != servers:
            servers = fresh
            write(file, configuration(balancer, servers))
    if traefik.poll() is None:
        traefik.terminate()
    return traefik.wait()


if __name__ == "__main__":
    sys.exit(main())
