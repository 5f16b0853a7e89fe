"""Writes Traefik's configuration from the files of gateway/: addresses here, everything else there."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from intervai_local import certificate
from intervai_local.state import HOST, REPOSITORY, SERVICES, State, SuiteError, write_private

SOURCE = REPOSITORY / "gateway"
STATIC_FILE = "traefik.yml"
#: What of load-balancer.yml takes instances out.
CHECKS = ("healthCheck", "passiveHealthCheck")


def write_static(
    state: State,
    gateway_host: str,
    gateway_port: int,
    internal_port: int,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Copy gateway/: its static file with the suite's addresses and what the settings (`environment.gateway`) say, its
    routes and middlewares as they are. Without TLS there is no entry point `websecure`.

    Raises:
        SuiteError: a setting is not usable.
    """
    static, host = static_configuration(settings), f"[{gateway_host}]" if ":" in gateway_host else gateway_host
    ports = {"web": f"{host}:{gateway_port}", "internal": f"{HOST}:{internal_port}"}
    if settings.get("GATEWAY_TLS", "off") != "off":
        ports["websecure"] = f"{host}:{settings['GATEWAY_TLS_PORT']}"
    static["entryPoints"] = {name: {**static["entryPoints"][name], "address": ports[name]} for name in ports}
    static["providers"]["file"]["directory"] = str(state.gateway / "dynamic")
    write_private(state.gateway / STATIC_FILE, yaml.safe_dump(static, sort_keys=False))
    write_dynamic(state.gateway / "dynamic", set(ports))
    store = state.gateway / "dynamic" / "certificate.yml"
    store.unlink(missing_ok=True)
    if settings.get("GATEWAY_TLS") == "self-made":
        names = [gateway_host] if gateway_host not in {"0.0.0.0", "::"} else []  # noqa: S104  not listening there
        pem, key = certificate.ensure(state.root / "tls", *names)
        own = {"certFile": str(pem), "keyFile": str(key)}
        write_private(store, yaml.safe_dump({"tls": {"stores": {"default": {"defaultCertificate": own}}}}))


def static_configuration(settings: Mapping[str, str]) -> dict[str, Any]:
    """Traefik's static configuration, as containers have it.

    Raises:
        SuiteError: a setting is not usable.
    """
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", str(SOURCE / "static.sh")],
        env={"PATH": os.environ.get("PATH", os.defpath), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SuiteError(done.stderr.strip())
    static: dict[str, Any] = yaml.safe_load(done.stdout)
    return static


def write_dynamic(folder: Path, entry_points: set[str]) -> None:
    """Copy the routes and middlewares; routers name only entry points that there are."""
    for file in (SOURCE / "dynamic").glob("*.yml"):
        content = yaml.safe_load(file.read_text())
        for router in content.get("http", {}).get("routers", {}).values():
            router["entryPoints"] = [name for name in router["entryPoints"] if name in entry_points]
        # Without line breaks in texts: Traefik reads them as templates before it reads YAML.
        write_private(folder / file.name, yaml.safe_dump(content, sort_keys=False, width=1_000_000))


def write_services(state: State, counts: Mapping[str, int], ports: Mapping[str, int]) -> None:
    """Write the server lists, if they changed: each reload resets Traefik's in-flight counts."""
    services: dict[str, object] = {}
    for name, urls in server_urls(counts, ports).items():
        services |= _with_failover(name, [{"url": url} for url in urls])
    text = yaml.safe_dump({"http": {"services": services}}, sort_keys=False)
    file = state.gateway / "dynamic" / "services.yml"
    if not file.exists() or file.read_text() != text:
        write_private(file, text)


def _with_failover(name: str, servers: list[dict[str, str]]) -> dict[str, object]:
    """The instances that are ready; when none is, all of them. A part that all need is down then: they know what still
    works without it, and refuse the rest with a problem document and Retry-After, which Traefik itself does not."""
    balancer = yaml.safe_load((SOURCE / "load-balancer.yml").read_text())
    unchecked = {key: value for key, value in balancer.items() if key not in CHECKS}
    return {
        name: {"failover": {"service": f"{name}-ready", "fallback": f"{name}-all"}},
        f"{name}-ready": {"loadBalancer": {**balancer, "servers": servers}},
        f"{name}-all": {"loadBalancer": {**unchecked, "servers": servers}},
    }


def server_urls(counts: Mapping[str, int], ports: Mapping[str, int]) -> dict[str, list[str]]:
    """The address of every API instance, by service."""
    return {
        service: [f"http://{HOST}:{ports[f'{service}-{number}']}" for number in range(1, counts[service] + 1)]
        for service in SERVICES
    }
