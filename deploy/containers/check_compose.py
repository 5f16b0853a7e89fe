"""What no schema can see in docker-compose.yml, and in what it becomes with files of deploy/compose/ on top; prints one
line a finding, exits 1 if there is one."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from compose_merge import merged

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


def secrets(*files: str) -> Iterator[str]:
    """Every variable that must be set is one that make-env.sh writes (those of one service by a loop)."""
    written = (ROOT / "deploy/containers/make-env.sh").read_text()
    for name in sorted({name for file in files for name in re.findall(r"\$\{(\w+):\?", (ROOT / file).read_text())}):
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


def references(document: dict[str, Any]) -> Iterator[str]:
    """What a service names is there: services it waits for, networks, volumes, and files that are mounted."""
    services = document["services"]
    for name, service in services.items():
        for needed in service.get("depends_on", ()):
            if needed not in services:
                yield f"{name}: depends_on names {needed}, which is no service"
        for network in service.get("networks", ()):
            if network not in document["networks"]:
                yield f"{name}: network {network} is not declared"
        for mount in service.get("volumes", ()):
            source = str(mount).partition(":")[0]
            if source.startswith("./") and not (ROOT / source).exists():
                yield f"{name}: {source} is mounted, and not there"
            if source[0].isalpha() and source not in document["volumes"]:
                yield f"{name}: volume {source} is not declared"


def scraped() -> Iterator[str]:
    """Prometheus asks every process of ours, and the gateway."""
    jobs = read("deploy/compose/observability/prometheus.yml")["scrape_configs"]
    asked = {name for job in jobs for found in job.get("dns_sd_configs", ()) for name in found["names"]}
    ours = {"traefik", "scheduler", *SERVICES, *(name.replace("-service", "-worker") for name in SERVICES)}
    for name in sorted(asked ^ ours):
        yield f"prometheus.yml {'asks' if name in asked else 'does not ask'} {name}"


def overrides() -> Iterator[Path]:
    """The files of deploy/compose/ that go on top of docker-compose.yml; the others are pieces of configuration."""
    for file in sorted((ROOT / "deploy/compose").glob("*.yml")):
        if "services" in yaml.safe_load(file.read_text()):
            yield file.relative_to(ROOT)


def findings_of(*files: str) -> Iterator[str]:
    """Of these files together."""
    document = merged(*map(read, files))
    services = document["services"]
    found = [*discovery(services), *hardening(services), *references(document), *secrets(*files)]
    yield from (f"{' + '.join(files)}: {finding}" for finding in found)


def main() -> None:
    base = "docker-compose.yml"
    every = [str(file) for file in overrides()]
    findings = [*findings_of(base), *(f"{base}: {finding}" for finding in gateway()), *scraped()]
    for override in every:
        findings += findings_of(base, override)
    findings += findings_of(base, *every)
    sys.exit("\n".join(dict.fromkeys(findings)) or None)


if __name__ == "__main__":
    main()
