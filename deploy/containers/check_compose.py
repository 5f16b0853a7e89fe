"""What no schema can see in docker-compose.yml; prints one line a finding, exits 1 if there is one."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("auth-service", "user-service", "qa-service", "export-service")


def read(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / path).read_text())
    return content


def flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as Traefik writes them in labels: lower-case keys joined by dots, plain text values."""
    for key, value in settings.items():
        name = prefix + key.lower()
        if isinstance(value, dict):
            yield from flat(value, name + ".")
        else:
            yield name, str(value).lower() if isinstance(value, bool) else str(value)


def discovery(services: dict[str, Any]) -> Iterator[str]:
    """The labels must balance load as gateway/load-balancer.yml says: the same however the suite runs."""
    balancer = read("gateway/load-balancer.yml")
    balancer["serversTransport"] += "@file"
    for service in SERVICES:
        prefix = f"traefik.http.services.{service}.loadbalancer."
        labels = {k.removeprefix(prefix): v for k, v in services[service]["labels"].items() if k.startswith(prefix)}
        expected = {**dict(flat(balancer)), "server.port": "8000"}
        for name in sorted(expected.keys() | labels.keys()):
            if labels.get(name) != expected.get(name):
                yield f"{service}: label {prefix}{name} is {labels.get(name)}, should be {expected.get(name)}"


def hardening(services: dict[str, Any]) -> Iterator[str]:
    for name, service in services.items():
        if service.get("read_only") is not True:
            yield f"{name}: read_only: true is missing"
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name}: cap_drop: [ALL] is missing"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: no-new-privileges is missing"
        if "container_name" in service:
            yield f"{name}: container_name forbids --scale"


def secrets() -> Iterator[str]:
    """Every variable that must be set is one that make-env.sh writes (those of one service by a loop)."""
    written = (ROOT / "deploy/containers/make-env.sh").read_text()
    for name in sorted(set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))):
        stem = re.sub(r"^(AUTH|USER|QA|EXPORT)_(?=MONGO|CLIENT)", "${service}_", name)
        if name not in written and stem not in written:
            yield f"{name} is required, but make-env.sh does not write it"


def gateway() -> Iterator[str]:
    """The gateway puts deploy/compose/docker-provider.yml under `providers:` of its static configuration."""
    static, fragment = (
        (ROOT / "gateway/traefik.yml").read_text(),
        (ROOT / "deploy/compose/docker-provider.yml").read_text(),
    )
    merged = yaml.safe_load(static.replace("\nproviders:\n", f"\nproviders:\n{fragment}", 1))
    if not {"file", "docker"} <= merged["providers"].keys():
        yield "gateway/traefik.yml has no line `providers:` for deploy/compose/docker-provider.yml to go under"


def main() -> None:
    services = read("docker-compose.yml")["services"]
    findings = [*discovery(services), *hardening(services), *secrets(), *gateway()]
    sys.exit("\n".join(f"docker-compose.yml: {finding}" for finding in findings) or None)


if __name__ == "__main__":
    main()
