"""Whether what names something names something that is there."""

from collections.abc import Iterator
from typing import Any

from k8s_lint.names import references
from k8s_lint.pods import deployments
from k8s_lint.schemas import name_of

Object = dict[str, Any]

AUTOSCALERS = ("HorizontalPodAutoscaler", "ScaledObject")


def of(objects: list[Object], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def labels(deployment: Object) -> dict[str, str]:
    """Those of its pods."""
    found: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return found


def container(deployment: Object) -> Object:
    found: Object = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def chosen(selector: Object, objects: list[Object]) -> list[Object]:
    """The Deployments whose pods a label selector takes: matchLabels, and matchExpressions with `In`."""
    expressions = selector.get("matchExpressions", [])
    return [
        one
        for one in deployments(objects)
        if selector.get("matchLabels", {}).items() <= labels(one).items()
        and all(labels(one).get(each["key"]) in each["values"] for each in expressions)
    ]


def findings(objects: list[Object]) -> Iterator[str]:
    for check in (_selectors, _services, _disruption, _autoscalers, _policies, _config_maps, _accounts, _traefik):
        yield from check(objects)


def _selectors(objects: list[Object]) -> Iterator[str]:
    for one in deployments(objects):
        if chosen(one["spec"]["selector"], objects) != [one]:
            yield f"{name_of(one)}: its selector must take its own pods alone"


def _services(objects: list[Object]) -> Iterator[str]:
    for one in of(objects, "Service"):
        found = chosen({"matchLabels": one["spec"]["selector"]}, objects)
        if len(found) != 1:
            yield f"{name_of(one)}: selects pods of {len(found)} Deployments"
            continue
        ports = {port["name"] for port in container(found[0])["ports"]}
        for port in one["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"{name_of(one)}: its pods have no port {port['targetPort']}"


def _disruption(objects: list[Object]) -> Iterator[str]:
    protected = [
        name_of(each) for one in of(objects, "PodDisruptionBudget") for each in chosen(one["spec"]["selector"], objects)
    ]
    for one in deployments(objects):
        if protected.count(name_of(one)) != 1:
            yield f"{name_of(one)}: {protected.count(name_of(one))} PodDisruptionBudgets"
    for one in of(objects, "PodDisruptionBudget"):
        if not chosen(one["spec"]["selector"], objects):
            yield f"{name_of(one)}: selects no pod"
        if "minAvailable" in one["spec"]:
            yield f"{name_of(one)}: with one instance, minAvailable would never let a node be emptied"


def _autoscalers(objects: list[Object]) -> Iterator[str]:
    there = {one["metadata"]["name"]: one for one in deployments(objects)}
    scaled = [one["spec"]["scaleTargetRef"]["name"] for one in of(objects, *AUTOSCALERS)]
    for name in scaled:
        if name not in there:
            yield f"an autoscaler of {name}, which is not there"
        elif scaled.count(name) > 1:
            yield f"{scaled.count(name)} autoscalers of {name}"
        elif "replicas" in there[name]["spec"]:
            yield f"{name_of(there[name])}: replicas would undo at each roll-out what the autoscaler has done"
    known = {one["metadata"]["name"] for one in of(objects, "TriggerAuthentication")}
    for one in of(objects, "ScaledObject"):
        for trigger in one["spec"]["triggers"]:
            if trigger["authenticationRef"]["name"] not in known:
                yield f"{name_of(one)}: no TriggerAuthentication {trigger['authenticationRef']['name']}"


def _policies(objects: list[Object]) -> Iterator[str]:
    policies = of(objects, "NetworkPolicy")
    if not any(one["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} for one in policies):
        yield "no NetworkPolicy denies what none allows"
    for one in policies:
        peers = [peer for rule in one["spec"].get("ingress", []) for peer in rule.get("from", [])]
        peers += [peer for rule in one["spec"].get("egress", []) for peer in rule.get("to", [])]
        for selector in [one["spec"]["podSelector"], *(peer["podSelector"] for peer in peers if "podSelector" in peer)]:
            if not chosen(selector, objects):
                yield f"{name_of(one)}: {selector} selects no pod"
        yield from _open_ports(one, objects)


def _open_ports(policy: Object, objects: list[Object]) -> Iterator[str]:
    """Ports that are let in, but that no pod of the policy has."""
    pods = chosen(policy["spec"]["podSelector"], objects)
    there = {port["containerPort"] for one in pods for port in container(one)["ports"]}
    for rule in policy["spec"].get("ingress", []):
        for port in rule["ports"]:
            if port["port"] not in there:
                yield f"{name_of(policy)}: lets in port {port['port']}, which no pod has"


def _config_maps(objects: list[Object]) -> Iterator[str]:
    there = {one["metadata"]["name"]: one["data"].keys() for one in of(objects, "ConfigMap")}
    for one in deployments(objects):
        for reference in references(one):
            wanted = {item["key"] for item in reference.get("items", [])}
            if not wanted <= there.get(reference["name"], set()) or reference["name"] not in there:
                yield f"{name_of(one)}: ConfigMap {reference['name']} {sorted(wanted)} is not there"
    used = {reference["name"] for one in deployments(objects) for reference in references(one)}
    yield from (f"ConfigMap/{name}: nobody reads it" for name in sorted(there.keys() - used))


def _accounts(objects: list[Object]) -> Iterator[str]:
    there = {one["metadata"]["name"] for one in of(objects, "ServiceAccount")}
    for one in deployments(objects):
        if one["spec"]["template"]["spec"].get("serviceAccountName") not in there:
            yield f"{name_of(one)}: no ServiceAccount of its own"


def _traefik(objects: list[Object]) -> Iterator[str]:
    services = {
        one["metadata"]["name"]: {port["name"] for port in one["spec"]["ports"]} for one in of(objects, "Service")
    }
    for one in of(objects, "TraefikService"):
        for each in one["spec"]["weighted"]["services"]:
            if each["port"] not in services.get(each["name"], set()):
                yield f"{name_of(one)}: no Service {each['name']} with a port {each['port']}"
