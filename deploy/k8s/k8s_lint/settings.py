"""Whether each process gets what its settings class reads, and each Secret is one that README.md names."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auth_service.settings import AuthSettings
from export_service.settings import ExportSettings
from intervai_shared.scheduling.settings import SchedulerSettings
from intervai_shared.settings import ProcessSettings
from k8s_lint.pods import deployments
from k8s_lint.schemas import name_of
from k8s_lint.wiring import container, of
from qa_service.settings import QaSettings
from user_service.settings import UserSettings

Object = dict[str, Any]

SETTINGS: dict[str, type[ProcessSettings]] = {
    "auth-service": AuthSettings,
    "auth-worker": AuthSettings,
    "user-service": UserSettings,
    "user-worker": UserSettings,
    "qa-service": QaSettings,
    "qa-worker": QaSettings,
    "export-service": ExportSettings,
    "export-worker": ExportSettings,
    "scheduler": SchedulerSettings,
}
#: Of no process: Kubernetes puts it into MONGO_READ_URI.
FILLED_IN = {"MONGO_READ_OPTIONS"}
README = Path(__file__).parents[1] / "README.md"


def environment(deployment: Object, objects: list[Object]) -> dict[str, Any]:
    """What the container gets, by name: text, or the reference to a Secret."""
    maps = {one["metadata"]["name"]: one["data"] for one in of(objects, "ConfigMap")}
    told = container(deployment)
    found: dict[str, Any] = {}
    for source in told.get("envFrom", []):
        found |= maps.get(source["configMapRef"]["name"], {})
    for variable in told.get("env", []):
        found[variable["name"]] = variable.get("value", variable.get("valueFrom"))
    return found


def findings(objects: list[Object]) -> Iterator[str]:
    every = {name.upper() for kind in SETTINGS.values() for name in kind.model_fields}
    for one in deployments(objects):
        if (kind := SETTINGS.get(one["metadata"]["name"])) is None:
            continue
        given = environment(one, objects)
        own = {variable["name"] for variable in container(one)["env"]}
        needed = {name.upper() for name, field in kind.model_fields.items() if field.is_required()} - {"SERVICE"}
        known = {name.upper() for name in kind.model_fields}
        yield from (f"{name_of(one)}: {name} is not set" for name in sorted(needed - given.keys()))
        yield from (f"{name_of(one)}: it knows no {name}" for name in sorted(own - known))
        # The common settings are for all: one may know only some of them.
        yield from (f"{name_of(one)}: nobody knows {name}" for name in sorted(given.keys() - every - FILLED_IN))
        yield from _order(one)
    yield from _secrets(objects)


def _order(one: Object) -> Iterator[str]:
    """Kubernetes fills in $(NAME) from what stands above, and leaves it as it is otherwise."""
    above = set(FILLED_IN)
    for variable in container(one)["env"]:
        for name in re.findall(r"\$\((\w+)\)", variable.get("value", "")):
            if name not in above:
                yield f"{name_of(one)}: {variable['name']} stands above {name}"
        above.add(variable["name"])


def documented() -> set[tuple[str, str]]:
    """The (Secret, key) of the table in README.md."""
    return set(re.findall(r"^\| `([a-z-]+)` \| `([A-Za-z_.]+)` \|", README.read_text(), re.MULTILINE))


def used(objects: list[Object]) -> set[tuple[str, str]]:
    """The (Secret, key) that pods, KEDA and Traefik refer to."""
    found = set()
    for one in deployments(objects):
        references = (variable.get("valueFrom", {}).get("secretKeyRef") for variable in container(one).get("env", []))
        found |= {(each["name"], each["key"]) for each in references if each}
    for one in of(objects, "TriggerAuthentication"):
        found |= {(each["name"], each["key"]) for each in one["spec"]["secretTargetRef"]}
    for one in of(objects, "TLSStore"):
        found |= {(one["spec"]["defaultCertificate"]["secretName"], key) for key in ("tls.crt", "tls.key")}
    return found


def _secrets(objects: list[Object]) -> Iterator[str]:
    yield from (f"Secret/{name}: README.md says nothing of {key}" for name, key in sorted(used(objects) - documented()))
    yield from (f"{name_of(one)}: secrets are made in the cluster, not here" for one in of(objects, "Secret"))
