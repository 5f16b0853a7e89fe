"""Writes Traefik's configuration from the files of gateway/: addresses here, everything else there."""

import shutil
from collections.abc import Mapping

import yaml

from intervai_local.state import HOST, REPOSITORY, SERVICES, State, write_private

SOURCE = REPOSITORY / "gateway"
STATIC_FILE = "traefik.yml"
#: What of load-balancer.yml takes instances out.
CHECKS = ("healthCheck", "passiveHealthCheck")


def write_static(state: State, gateway_host: str, gateway_port: int, internal_port: int) -> None:
    """Copy gateway/: its static file with the suite's addresses, its routes and middlewares as they are."""
    static = yaml.safe_load((SOURCE / STATIC_FILE).read_text())
    host = f"[{gateway_host}]" if ":" in gateway_host else gateway_host
    static["entryPoints"]["web"]["address"] = f"{host}:{gateway_port}"
    static["entryPoints"]["internal"]["address"] = f"{HOST}:{internal_port}"
    static["providers"]["file"]["directory"] = str(state.gateway / "dynamic")
    write_private(state.gateway / STATIC_FILE, yaml.safe_dump(static, sort_keys=False))
    for file in (SOURCE / "dynamic").glob("*.yml"):
        shutil.copyfile(file, state.gateway / "dynamic" / file.name)


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
