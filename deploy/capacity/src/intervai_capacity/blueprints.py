"""Render Blueprints of the tiers (https://render.com/docs/blueprint-spec): deploy/render/tier-N/render.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from intervai_capacity.environment import GATEWAY, GROUPS, Variables, gateway_variables, of_api, of_scheduler, of_worker
from intervai_capacity.tiers import REPOSITORY, SERVICES, Api, Tier, Tiers, Worker

FOLDER = REPOSITORY / "deploy" / "render"
REGION = "frankfurt"
#: Render's names of our Redis plans; its free one has 25 MB and keeps nothing over a restart.
KEYVALUE_PLANS = {"30mb": "free", "250mb": "starter", "1gb": "standard", "5gb": "pro"}
#: An instance drains (DRAIN_SECONDS), then has 15 s for its requests; a job has 2 minutes.
API_SHUTDOWN_SECONDS, WORKER_SHUTDOWN_SECONDS = 30, 150
#: Of the gateway, by deploy/render/gateway/health.yml. Render checks web services alone.
HEALTH_PATH = "/gateway-alive"
HEADER = """\
# The Render Blueprint of {name}, written by `make blueprints` from deploy/tiers.yaml: change that, or
# deploy/capacity/src/intervai_capacity. How it is used, and what it cannot do: deploy/render/README.md.
"""


def blueprint(tiers: Tiers, tier: Tier) -> dict[str, Any]:
    """The document of one tier."""
    services = [gateway(tiers, tier)]
    for service in SERVICES:
        services += [api(tiers, tier, service), worker(tiers, tier, service)]
    services.append(scheduler(tier))
    if tier.redis.topology == "single":
        services.append(keyvalue(tier))
    return {"previews": {"generation": "off"}, "services": services, "envVarGroups": GROUPS}


def gateway(tiers: Tiers, tier: Tier) -> dict[str, Any]:
    """Traefik, the only part that the world reaches."""
    return {
        **_process("web", GATEWAY, "deploy/render/gateway/Dockerfile", gateway_variables()),
        "plan": _plan(tiers, tier.api),
        "numInstances": 2 if tier.edge.balancer else 1,
        "healthCheckPath": HEALTH_PATH,
        "maxShutdownDelaySeconds": API_SHUTDOWN_SECONDS,
    }


def api(tiers: Tiers, tier: Tier, service: str) -> dict[str, Any]:
    """The API processes of a service: scaled by use, but for a tier of one instance."""
    one = tier.api.instances == 1
    return {
        **_process("pserv", service, f"{service}/Dockerfile", of_api(tier, service)),
        "plan": _plan(tiers, tier.api),
        **({"numInstances": 1} if one else {"scaling": scaling(tiers)}),
        "dockerCommand": _command(service, f"intervai_shared.serve {_package(service)}.app"),
        "maxShutdownDelaySeconds": API_SHUTDOWN_SECONDS,
    }


def worker(tiers: Tiers, tier: Tier, service: str) -> dict[str, Any]:
    """The workers of a service: as many as the tier says."""
    return {
        **_process("worker", _worker_name(service), f"{service}/Dockerfile", of_worker(tier, service)),
        "plan": _plan(tiers, tier.worker),
        "numInstances": tier.worker.instances,
        "dockerCommand": _command(service, f"intervai_shared.work {_package(service)}.worker"),
        "maxShutdownDelaySeconds": WORKER_SHUTDOWN_SECONDS,
    }


def scheduler(tier: Tier) -> dict[str, Any]:
    """Says when scheduled work is due; of no service, so any image of ours does."""
    return {
        **_process("worker", "scheduler", "user-service/Dockerfile", of_scheduler(tier)),
        "plan": "starter",
        "numInstances": 1,
        "dockerCommand": "python -m intervai_shared.schedule",
    }


def keyvalue(tier: Tier) -> dict[str, Any]:
    """Render's own Redis, closed to the outside. It makes no Cluster."""
    plan = KEYVALUE_PLANS[tier.redis.plan]
    kept = {} if plan == "free" else {"persistenceMode": "journal-snapshot"}
    return {
        "type": "keyvalue",
        "name": "redis",
        "region": REGION,
        "plan": plan,
        "maxmemoryPolicy": "noeviction",
        **kept,
        "ipAllowList": [],
    }


def scaling(tiers: Tiers) -> dict[str, int]:
    """Of tiers.yaml, in Render's words."""
    return {
        "minInstances": tiers.scaling.min_instances,
        "maxInstances": tiers.scaling.max_instances,
        "targetCPUPercent": tiers.scaling.target_cpu_percent,
        "targetMemoryPercent": tiers.scaling.target_memory_percent,
    }


def _process(kind: str, name: str, dockerfile: str, variables: Variables) -> dict[str, Any]:
    return {
        "type": kind,
        "name": name,
        "runtime": "docker",
        "region": REGION,
        "dockerfilePath": f"./{dockerfile}",
        "dockerContext": ".",
        "autoDeploy": False,
        "envVars": variables,
    }


def _plan(tiers: Tiers, bought_for: Api | Worker) -> str:
    return tiers.bought(bought_for.plan)[0].replace("-", " ")


def _package(service: str) -> str:
    return service.replace("-", "_")


def _worker_name(service: str) -> str:
    return service.replace("-service", "-worker")


def _command(service: str, module: str) -> str:
    """Render puts no variables together, so a shell does."""
    made = 'INTERNAL_GATEWAY_URL="http://$GATEWAY_HOST:8081"'
    if service == "auth-service":
        pairs = ",".join(rf"\"{each}\":\"${_secret_of(each)}\"" for each in SERVICES)
        made += f' SERVICE_CLIENTS="{{{pairs}}}"'
    return f"/bin/sh -ec 'export {made}; exec python -m {module}'"


def _secret_of(service: str) -> str:
    return f"{service.removesuffix('-service').upper()}_CLIENT_SECRET"


def files(tiers: Tiers) -> Iterator[tuple[Path, str]]:
    """Every file of deploy/render that is written, with its text."""
    for tier in tiers.tiers:
        text = yaml.safe_dump(blueprint(tiers, tier), sort_keys=False, width=1000)
        yield FOLDER / tier.name / "render.yaml", HEADER.format(name=tier.name) + text
