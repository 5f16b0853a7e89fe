"""Each check is silent on what we deploy, and says something when it is broken."""

from collections.abc import Callable
from typing import Any

import pytest
from k8s_lint import gateway, pods, schemas, settings, sizes, wiring
from k8s_lint.kustomize import merge

Object = dict[str, Any]
Objects = list[Object]
Change = Callable[[Objects], object]


def named(objects: Objects, kind: str, name: str) -> Object:
    [found] = [one for one in objects if one["kind"] == kind and one["metadata"]["name"].startswith(name)]
    return found


def app(objects: Objects, name: str = "qa-service") -> Object:
    found: Object = named(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]
    return found


def pod(objects: Objects, name: str = "qa-service") -> Object:
    found: Object = named(objects, "Deployment", name)["spec"]["template"]["spec"]
    return found


def findings(objects: Objects) -> list[str]:
    checks = (pods, wiring, settings, gateway)
    return [finding for check in checks for finding in check.findings(objects)] + list(
        sizes.findings(objects, "tier-2")
    )


def test_what_is_deployed_is_right(rendered: Objects) -> None:
    assert len(rendered) == 68
    assert [*findings(rendered), *schemas.findings(rendered)] == []


def container(**changes: Any) -> Change:
    return lambda objects: merge(app(objects), changes)


def in_pod(**changes: Any) -> Change:
    return lambda objects: merge(pod(objects), changes)


def variable(name: str, **told: Any) -> Change:
    return lambda objects: app(objects)["env"].append({"name": name, **told})


def spec(kind: str, name: str, **changes: Any) -> Change:
    return lambda objects: merge(named(objects, kind, name)["spec"], changes)


def data(name: str, changes: dict[str, str | None]) -> Change:
    return lambda objects: merge(named(objects, "ConfigMap", name)["data"], changes)


def without(kind: str, name: str) -> Change:
    return lambda objects: objects.remove(named(objects, kind, name))


def balancing(**changes: str) -> Change:
    return lambda objects: named(objects, "TraefikService", "qa")["spec"]["weighted"]["services"][0].update(changes)


QA = "Deployment/qa-service"
BROKEN: dict[str, Change] = {
    f"{QA}: must drop all capabilities": container(securityContext=None),
    f"{QA}: must run as a user that is not root": in_pod(securityContext={"runAsUser": 0}),
    f"{QA}: the root file system": container(securityContext={"readOnlyRootFilesystem": False}),
    f"{QA}: seccompProfile": in_pod(securityContext={"seccompProfile": None}),
    f"{QA}: automountServiceAccountToken": in_pod(automountServiceAccountToken=True),
    f"{QA}: nothing of the host": in_pod(hostNetwork=True),
    f"{QA}: volume x is of a kind": in_pod(volumes=[{"name": "x", "hostPath": {}}]),
    f"{QA}: requests of cpu and memory": container(resources={"requests": None}),
    f"{QA}: asks for more memory": container(resources={"requests": {"memory": "2Gi"}}),
    f"{QA}: a limit of cpu": container(resources={"limits": {"cpu": "1"}}),
    f"{QA}: image qa:latest": container(image="qa:latest"),
    f"{QA}: readinessProbe": container(readinessProbe=None),
    f"{QA}: a lost database": container(livenessProbe={"httpGet": {"path": "/health/ready"}}),
    f"{QA}: a roll-out": spec("Deployment", "qa-service", strategy={"rollingUpdate": {"maxUnavailable": 1}}),
    f"{QA}: must be spread": in_pod(topologySpreadConstraints=None),
    f"{QA}: 0 PodDisruptionBudgets": without("PodDisruptionBudget", "qa-service"),
    f"{QA}: replicas would undo": spec("Deployment", "qa-service", replicas=2),
    f"{QA}: no autoscaler": without("HorizontalPodAutoscaler", "qa-service"),
    f"{QA}: no ServiceAccount": without("ServiceAccount", "qa-service"),
    f"{QA}: ConfigMap qa-service-settings-": without("ConfigMap", "qa-service"),
    f"{QA}: SERVICE_CLIENT_ID is not set": data("qa-service", {"SERVICE_CLIENT_ID": None}),
    f"{QA}: nobody knows OPENAI_MODLE": data("qa-service", {"OPENAI_MODLE": "x"}),
    f"{QA}: it knows no SMTP_URL": variable("SMTP_URL", value="x"),
    f"{QA}: MONGO_READ_URI stands above": lambda objects: app(objects)["env"].reverse(),
    f"{QA}: 256 MiB, not 1024": container(resources={"limits": {"memory": "256Mi"}}),
    f"{QA}: has 10 s to end": in_pod(terminationGracePeriodSeconds=10),
    f"{QA}: no preStop": container(lifecycle=None),
    "Service/qa-service: selects pods of 0": spec("Service", "qa-service", selector={"app.kubernetes.io/name": "x"}),
    "TraefikService/qa-service: no Service": without("Service", "qa-service"),
    "TraefikService/qa-service: [": balancing(strategy="wrr"),
    "an autoscaler of nobody": spec("ScaledObject", "qa", scaleTargetRef={"name": "nobody"}),
    "ScaledObject/qa-worker: from 1 to 10": spec("ScaledObject", "qa", minReplicaCount=1),
    "ScaledObject/qa-worker: no TriggerAuthentication": without("TriggerAuthentication", "redis"),
    "HorizontalPodAutoscaler/qa-service: from 2 to 99": spec("HorizontalPodAutoscaler", "qa", maxReplicas=99),
    "HorizontalPodAutoscaler/qa-service: scales at 410Mi": lambda objects: merge(
        named(objects, "HorizontalPodAutoscaler", "qa")["spec"]["metrics"][1],
        {"resource": {"target": {"averageValue": "410Mi"}}},
    ),
    "no NetworkPolicy denies": without("NetworkPolicy", "default-deny"),
    "NetworkPolicy/mail-out: {'matchLabels'": spec(
        "NetworkPolicy", "mail-out", podSelector={"matchLabels": {"app.kubernetes.io/name": "mailer"}}
    ),
    "NetworkPolicy/api-from-gateway: lets in port 9": spec(
        "NetworkPolicy", "api-from", ingress=[{"ports": [{"port": 9}]}]
    ),
    "Secret/vault: README.md says nothing": variable("X", valueFrom={"secretKeyRef": {"name": "vault", "key": "KEY"}}),
    "services.yml has": data("gateway-kubernetes", {"services.yml": "http: {services: {}}"}),
    "gateway/kustomization.yaml: tls.yml is missing": data("gateway-dynamic", {"tls.yml": None}),
    "Deployment/export-worker: RENDER_MEMORY_MB=2048": data("export-service", {"RENDER_MEMORY_MB": "2048"}),
}


@pytest.mark.parametrize("finding", BROKEN)
def test_what_is_broken_is_found(objects: Objects, finding: str) -> None:
    BROKEN[finding](objects)
    assert [each for each in findings(objects) if each.startswith(finding)]


UNKNOWN: dict[str, Change] = {
    QA: in_pod(terminationGracePeriod=10),
    "HorizontalPodAutoscaler/qa-service": spec("HorizontalPodAutoscaler", "qa", min=1),
    "ScaledObject/qa-worker": spec("ScaledObject", "qa", minReplicas=1),
    "TraefikService/qa-service": balancing(strategy="p3c"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_field_or_a_value_that_there_is_not_is_found(objects: Objects, name: str) -> None:
    UNKNOWN[name](objects)
    kind = name.split("/", maxsplit=1)[0]
    found = list(schemas.findings([one for one in objects if one["kind"] == kind]))
    assert found
    assert all(each.startswith(f"{name}:") for each in found)
