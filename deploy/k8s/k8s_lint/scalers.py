"""Makes the KEDA ScaledObjects of the workers: one trigger a queue, as each worker declares its queues."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from intervai_shared.messaging.broker import is_bulk, namespace

FOLDER = Path(__file__).parents[1] / "scaling"
SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
#: Enough settings for a worker to be declared; it connects to nothing before it runs.
SETTINGS = {
    "REDIS_URL": "redis://localhost", "MONGO_URI": "mongodb://localhost", "INTERNAL_GATEWAY_URL": "http://localhost",
    "SERVICE_CLIENT_ID": "x", "SERVICE_CLIENT_SECRET": "x", "OPENAI_API_KEY": "x", "SMTP_URL": "smtp://localhost",
    "SERVICE_CLIENTS": "{}", "KEY_ENCRYPTION_KEY": "A" * 43 + "=", "RECORD_SIGNING_KEY": "A" * 43 + "=",
}  # fmt: skip
HEAD = """# Written by deploy/k8s/lint.py --write from what the workers declare; `make lint` compares.
# A trigger is the length of a list: the messages of a queue that no worker has taken up yet.
"""
#: KEDA's type of trigger, and what it calls the address of Redis.
TOPOLOGIES = {"redis": ("redis", "address"), "redis-cluster": ("redis-cluster", "addresses")}


def queues(service: str) -> tuple[list[str], int]:
    """The queues that the service's worker takes from, and its jobs at a time."""
    domain = service.removesuffix("-service")
    worker = importlib.import_module(f"{domain}_service.worker").create_worker()
    return sorted(worker._broker.get_declared_queues()), worker._threads  # noqa: SLF001  nobody else asks


def waiting(queue: str, threads: int) -> int:
    """How many messages may wait for each worker: half of what it does at a time; all of that in a bulk queue."""
    return max(1, threads if is_bulk(queue) else threads // 2)


def scaled_object(service: str, topology: str) -> dict[str, Any]:
    """A ScaledObject (https://keda.sh/docs/2.18/reference/scaledobject-spec/) for a service's worker."""
    worker = service.replace("-service", "-worker")
    names, threads = queues(service)
    spec = {
        "scaleTargetRef": {"name": worker},
        "minReplicaCount": 2,
        "maxReplicaCount": 10,
        "pollingInterval": 10,
        "cooldownPeriod": 300,
        # Redis does not answer: as many as there are.
        "fallback": {"failureThreshold": 3, "replicas": 2, "behavior": "currentReplicasIfHigher"},
        "triggers": [trigger(service, queue, waiting(queue, threads), topology) for queue in names],
    }
    return {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": worker}, "spec": spec}


def trigger(service: str, queue: str, length: int, topology: str) -> dict[str, Any]:
    """Dramatiq keeps the ids of waiting messages in the list `<namespace>:<queue>` (dramatiq/brokers/redis)."""
    about = {"listName": f"{namespace(service)}:{queue}", "listLength": str(length), "enableTLS": "true"}
    return {
        "type": TOPOLOGIES[topology][0],
        "name": queue.replace(".", "-"),
        "metadata": about,
        "authenticationRef": {"name": "redis"},
    }


def authentication(topology: str) -> dict[str, Any]:
    """Where KEDA finds Redis: by reference to the Secret that the services use too."""
    wanted = {TOPOLOGIES[topology][1]: "KEDA_ADDRESS", "username": "KEDA_USERNAME", "password": "KEDA_PASSWORD"}
    found = [{"parameter": name, "name": "redis", "key": key} for name, key in wanted.items()]
    meta = {"apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": "redis"}}
    return {**meta, "spec": {"secretTargetRef": found}}


def text(topology: str) -> str:
    """The whole file. Sets the environment, since a worker reads it."""
    os.environ.update(SETTINGS)
    objects = [authentication(topology), *(scaled_object(service, topology) for service in SERVICES)]
    return HEAD + yaml.safe_dump_all(objects, sort_keys=False, width=120)


def write() -> None:
    """Writes scaling/redis*/autoscalers.yaml."""
    for topology in TOPOLOGIES:
        (FOLDER / topology / "autoscalers.yaml").write_text(text(topology))


def stale() -> Iterator[str]:
    """The files that are not what `write` would write."""
    for topology in TOPOLOGIES:
        file = FOLDER / topology / "autoscalers.yaml"
        if file.read_text() != text(topology):
            yield f"scaling/{topology}/autoscalers.yaml: run deploy/k8s/lint.py --write"
