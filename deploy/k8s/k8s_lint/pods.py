"""What every pod must be: restricted, measured, probed, replaceable."""

from collections.abc import Iterator
from typing import Any

from k8s_lint.schemas import name_of

Object = dict[str, Any]

#: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
#: The only pod that asks the Kubernetes API something.
WITH_TOKEN = {"gateway"}
UNITS = {"Mi": 1, "Gi": 1024}


def mebibytes(quantity: str) -> int:
    """`512Mi` or `2Gi` in MiB."""
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def deployments(objects: list[Object]) -> list[Object]:
    return [one for one in objects if one["kind"] == "Deployment"]


def findings(objects: list[Object]) -> Iterator[str]:
    for one in deployments(objects):
        pod = one["spec"]["template"]["spec"]
        [container] = pod["containers"]  # one process a pod
        wrong = [*_restricted(pod, container), *_resources(container), *_probes(container), *_replaced(one)]
        name = one["metadata"]["name"]
        if pod.get("automountServiceAccountToken", True) is not (name in WITH_TOKEN):
            wrong.append("automountServiceAccountToken")
        yield from (f"{name_of(one)}: {what}" for what in wrong)


def _restricted(pod: Object, container: Object) -> Iterator[str]:
    context, own = pod.get("securityContext", {}), container.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "must run as a user that is not root"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccompProfile RuntimeDefault is missing"
    if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities") != {"drop": ["ALL"]}:
        yield "must drop all capabilities and never gain any"
    if own.get("readOnlyRootFilesystem") is not True or own.get("privileged"):
        yield "the root file system must be read-only"
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC", "initContainers")):
        yield "nothing of the host, and no further containers that nobody checks here"
    for volume in pod.get("volumes", []):
        if not volume.keys() - {"name"} <= VOLUMES:
            yield f"volume {volume['name']} is of a kind that is not allowed"


def _resources(container: Object) -> Iterator[str]:
    told = container.get("resources", {})
    requests, limits = told.get("requests", {}), told.get("limits", {})
    if not {"cpu", "memory"} <= requests.keys() or "memory" not in limits:
        yield "requests of cpu and memory and a limit of memory are needed"
    elif mebibytes(requests["memory"]) > mebibytes(limits["memory"]):
        yield "asks for more memory than its limit"
    if "cpu" in limits:
        yield "a limit of cpu only slows down what could run"
    image = container.get("image", "")
    if "@sha256:" not in image and image.rpartition(":")[2] in {"", "latest", image}:
        yield f"image {image} names no version"


def _probes(container: Object) -> Iterator[str]:
    ports = {port["name"] for port in container.get("ports", [])}
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container.get(kind, {}).get("httpGet", {})
        if asked.get("port") not in ports:
            yield f"{kind} asks no port of the container"
    if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/health/ready":
        yield "a lost database must not restart the process"


def _replaced(one: Object) -> Iterator[str]:
    if one["spec"]["strategy"].get("rollingUpdate") != {"maxSurge": 1, "maxUnavailable": 0}:
        yield "a roll-out must never have fewer instances"
    spread = {
        each["topologyKey"]: each for each in one["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
    }
    if spread.keys() != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
        yield "must be spread over zones and nodes"
    labels = one["spec"]["template"]["metadata"]["labels"]
    for each in spread.values():
        if not each["labelSelector"]["matchLabels"].items() <= labels.items() or not set(
            each["matchLabelKeys"]
        ) - labels.keys() <= {"pod-template-hash"}:
            yield f"its spread over {each['topologyKey']} counts other pods"
