"""Whether Kubernetes gets all of gateway/, and balances load as gateway/load-balancer.yml says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from k8s_lint.schemas import name_of
from k8s_lint.wiring import of

Object = dict[str, Any]

GATEWAY = Path(__file__).parents[3] / "gateway"
#: Traefik takes it for Services of the kind ExternalName alone; the readiness probe of the pods does this here.
NOT_IN_KUBERNETES = {"healthCheck"}


def findings(objects: list[Object]) -> Iterator[str]:
    data = {name: text for one in of(objects, "ConfigMap") for name, text in one["data"].items()}
    for file in sorted([*GATEWAY.glob("dynamic/*.yml"), GATEWAY / "traefik.yml", GATEWAY / "static.sh"]):
        if data.get(file.name) != file.read_text():
            yield f"gateway/kustomization.yaml: {file.name} is missing"
    yield from _names(data)
    for one in of(objects, "TraefikService"):
        yield from _balancing(one)
    if not re.search(r"^providers:$", data["traefik.yml"], re.MULTILINE):
        yield "gateway/traefik.yml: no line `providers:` for kubernetes-provider.yml to go under"


def _names(data: dict[str, str]) -> Iterator[str]:
    """services.yml stands for each service that a router names."""
    routed = set(re.findall(r"""'([\w-]+)\{\{ env "SERVICE_PROVIDER" \}\}'""", data["routers.yml"]))
    given = yaml.safe_load(data["services.yml"])["http"]["services"]
    if routed != given.keys():
        yield f"services.yml has {sorted(given)}, the routers name {sorted(routed)}"


def _balancing(one: Object) -> Iterator[str]:
    told = yaml.safe_load((GATEWAY / "load-balancer.yml").read_text())
    wanted = {name: value for name, value in told.items() if name not in NOT_IN_KUBERNETES}
    wanted |= {"serversTransport": f"{told['serversTransport']}@file", "nativeLB": False}
    wanted |= {"kind": "Service", "name": one["metadata"]["name"], "port": "http"}
    if (found := one["spec"]["weighted"]["services"]) != [wanted]:
        yield f"{name_of(one)}: {found} is not what gateway/load-balancer.yml says: {wanted}"
