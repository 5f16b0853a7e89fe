"""Whether the overlays are as large as deploy/tiers.yaml says, and whether times and memory fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from intervai_shared.http.server import FINISH_SECONDS, LATE_SECONDS
from k8s_lint.pods import deployments, mebibytes
from k8s_lint.schemas import name_of
from k8s_lint.settings import environment
from k8s_lint.wiring import container, of

Object = dict[str, Any]

TIERS = yaml.safe_load((Path(__file__).parents[2] / "tiers.yaml").read_text())
#: MiB of an export worker beside its rendering process: 119 MB at rest, 125 MB while it works (README.md).
EXPORT_WORKER_MB = 160


def tier(name: str) -> Object:
    """What deploy/tiers.yaml says of a tier, with the memory of an instance of each kind."""
    [told] = [each for each in TIERS["tiers"] if each["name"] == name]
    plans = TIERS["prices"]["plans"]
    sizes = {kind: {**told[kind], "memory_mb": plans[told[kind]["plan"]]["memory_mb"]} for kind in ("api", "worker")}
    return {**told, **sizes}


def findings(objects: list[Object], name: str) -> Iterator[str]:
    """`name` is that of the tier."""
    told = tier(name)
    for one in deployments(objects):
        kind = one["metadata"]["labels"]["app.kubernetes.io/component"]
        if kind in {"api", "worker"}:
            yield from _instance(one, told[kind], objects)
    yield from _end(objects)
    yield from _rendering(objects)
    triggers = {each["type"] for one in of(objects, "ScaledObject") for each in one["spec"]["triggers"]}
    if triggers and triggers != {{"single": "redis", "cluster": "redis-cluster"}[told["redis"]["topology"]]}:
        yield f"KEDA asks a {triggers}, Redis is {told['redis']['topology']}"


def _instance(one: Object, told: Object, objects: list[Object]) -> Iterator[str]:
    memory = mebibytes(container(one)["resources"]["limits"]["memory"])
    if memory != told["memory_mb"]:
        yield f"{name_of(one)}: {memory} MiB, not {told['memory_mb']}"
    scaler = next((each for each in of(objects, "HorizontalPodAutoscaler", "ScaledObject")
                   if each["spec"]["scaleTargetRef"]["name"] == one["metadata"]["name"]), None)  # fmt: skip
    if scaler is None:
        # Fewer instances than autoscaling begins with: a fixed number.
        if told["instances"] >= TIERS["scaling"]["min_instances"] or one["spec"].get("replicas") != told["instances"]:
            yield f"{name_of(one)}: no autoscaler, or not {told['instances']} instances"
        return
    spec, scaling = scaler["spec"], TIERS["scaling"]
    bounds = [
        spec.get("minReplicas", spec.get("minReplicaCount")),
        spec.get("maxReplicas", spec.get("maxReplicaCount")),
    ]
    if bounds != [max(scaling["min_instances"], told["instances"]), scaling["max_instances"]]:
        yield f"{name_of(scaler)}: from {bounds[0]} to {bounds[1]} instances"
    if scaler["kind"] == "HorizontalPodAutoscaler":
        yield from _targets(scaler, memory)


def _targets(scaler: Object, memory: int) -> Iterator[str]:
    found = {each["resource"]["name"]: each["resource"]["target"] for each in scaler["spec"]["metrics"]}
    if found["cpu"].get("averageUtilization") != TIERS["scaling"]["target_cpu_percent"]:
        yield f"{name_of(scaler)}: scales by another share of cpu"
    wanted = memory * TIERS["scaling"]["target_memory_percent"] // 100
    if mebibytes(found["memory"]["averageValue"]) != wanted:
        yield f"{name_of(scaler)}: scales at {found['memory']['averageValue']}, not {wanted}Mi"


def _end(objects: list[Object]) -> Iterator[str]:
    """A process must have the time to end before Kubernetes kills it."""
    for one in deployments(objects):
        pod = one["spec"]["template"]["spec"]
        kind = one["metadata"]["labels"]["app.kubernetes.io/component"]
        waits = container(one).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if kind == "api" and not waits:
            yield f"{name_of(one)}: no preStop"
        drain = float(environment(one, objects).get("DRAIN_SECONDS", 0))
        finish = float(environment(one, objects).get("JOB_FINISH_SECONDS", 0))
        needed = waits + {"api": drain + LATE_SECONDS + FINISH_SECONDS, "worker": finish}.get(kind, 0)
        if pod["terminationGracePeriodSeconds"] < needed + 5:
            yield f"{name_of(one)}: has {pod['terminationGracePeriodSeconds']} s to end, needs {needed + 5:.0f}"


def _rendering(objects: list[Object]) -> Iterator[str]:
    """Kubernetes ends the whole container when a process in it takes too much, so the renderer must fail before."""
    for one in deployments(objects):
        if one["metadata"]["name"] == "export-worker":
            renders = int(environment(one, objects)["RENDER_MEMORY_MB"])
            if renders + EXPORT_WORKER_MB > mebibytes(container(one)["resources"]["limits"]["memory"]):
                yield f"{name_of(one)}: RENDER_MEMORY_MB={renders} does not fit beside the worker"
