"""Renders the folders of deploy/k8s as `kubectl kustomize` does, of which no Python package has the program.

It knows what these folders use and refuses all else: resources, namespace, configMapGenerator (literals, files, merge),
patches (strategic merge and JSON 6902, with a target), images, replicas. deploy/k8s/tests compares it with the real one
where there is one. See https://kubectl.docs.kubernetes.io/references/kustomize/.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from k8s_lint.names import named_by_content

Object = dict[str, Any]

#: The lists of Kubernetes that are merged by a key of their elements; other lists are replaced.
MERGE_KEYS = {
    "containers": ("name",), "env": ("name",), "ports": ("containerPort", "port"), "volumes": ("name",),
    "volumeMounts": ("mountPath",), "topologySpreadConstraints": ("topologyKey",),
}  # fmt: skip
CLUSTER_WIDE = {"Namespace", "PriorityClass"}
FIELDS = {"apiVersion", "kind", "resources", "namespace", "configMapGenerator", "patches", "images", "replicas"}


class UnknownFeatureError(ValueError):
    """A kustomization uses what this renderer does not know."""


def build(folder: Path) -> list[Object]:
    """All objects of a folder that holds a kustomization.yaml.

    Raises:
        UnknownFeatureError: it uses something that is not listed above.
    """
    return named_by_content(_accumulate(folder.resolve()))


def _accumulate(folder: Path) -> list[Object]:
    said = _read(folder / "kustomization.yaml")[0]
    _refuse(said.keys() - FIELDS, folder)
    objects = [one for name in said.get("resources", []) for one in _resource(folder / name)]
    for wanted in said.get("configMapGenerator", []):
        _generate(objects, wanted, folder)
    for patch in said.get("patches", []):
        _patch(objects, patch, folder)
    for one in objects:
        _place(one, said.get("namespace"))
        _set_images(one, said.get("images", []))
    for wanted in said.get("replicas", []):
        _replicate(objects, wanted)
    return objects


def _refuse(names: set[str], where: Path) -> None:
    if names:
        raise UnknownFeatureError(f"{where}: {', '.join(sorted(names))}")


def _resource(path: Path) -> list[Object]:
    if path.is_dir():
        return _accumulate(path)
    return _read(path)


def _read(path: Path) -> list[Any]:
    """The documents of a file; by libyaml, which is ten times as fast."""
    return [one for one in yaml.load_all(path.read_text(), yaml.CSafeLoader) if one]


def _generate(objects: list[Object], wanted: Object, folder: Path) -> None:
    _refuse(wanted.keys() - {"name", "literals", "files", "behavior"}, folder)
    data = dict(literal.split("=", 1) for literal in wanted.get("literals", []))
    data |= {Path(name).name: (folder / name).read_text() for name in wanted.get("files", [])}
    if wanted.get("behavior") == "merge":
        [found] = [one for one in objects if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", wanted["name"])]
        found["data"] |= data
        return
    _refuse({"behavior"} & wanted.keys(), folder)
    # The mark goes with the name that the content gives it at the end.
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": wanted["name"]}, "data": data}
    objects.append({**made, "generated": True})


def _patch(objects: list[Object], patch: Object, folder: Path) -> None:
    _refuse(patch.keys() - {"path", "patch", "target"}, folder)
    text = (folder / patch["path"]).read_text() if "path" in patch else patch["patch"]
    content = yaml.safe_load(text)
    change: Callable[[Object], None] = (
        (lambda one: _apply_operations(one, content))
        if isinstance(content, list)
        else lambda one: _merge_in(one, content)
    )
    target = patch.get("target") or {"kind": content["kind"], "name": content["metadata"]["name"]}
    found = [one for one in objects if _is_target(one, target, folder)]
    if not found:
        raise UnknownFeatureError(f"{folder}: no object for the patch of {target}")
    for one in found:
        change(one)


def _is_target(one: Object, target: Object, folder: Path) -> bool:
    _refuse(target.keys() - {"kind", "name", "labelSelector"}, folder)
    labels = one["metadata"].get("labels", {})
    return (
        one["kind"] == target["kind"]
        and re.fullmatch(target.get("name", ".*"), one["metadata"]["name"]) is not None
        and selects(target.get("labelSelector", ""), labels)
    )


def selects(selector: str, labels: dict[str, str]) -> bool:
    """Whether a label selector of one term, `key=value` or `key in (a,b)`, takes such labels; an empty one does."""
    if not selector:
        return True
    key, _, values = re.fullmatch(r"([\w./-]+)\s*(=|\bin\b)\s*\(?([\w,.-]+)\)?", selector).groups()  # type: ignore[union-attr]
    return labels.get(key) in values.split(",")


def _merge_in(one: Object, patch: Object) -> None:
    metadata = {key: value for key, value in patch.get("metadata", {}).items() if key != "name"}
    rest = {key: value for key, value in patch.items() if key not in {"apiVersion", "kind", "metadata"}}
    merge(one, copy.deepcopy({**rest, **({"metadata": metadata} if metadata else {})}))


def merge(into: Object, patch: Object) -> None:
    """A strategic merge: objects key by key, lists of `MERGE_KEYS` element by element, null deletes."""
    for name, value in patch.items():
        if value is None:
            into.pop(name, None)
        elif isinstance(value, dict):
            merge(into.setdefault(name, {}), value)
        elif isinstance(value, list) and name in MERGE_KEYS and isinstance(into.get(name), list):
            _merge_list(into[name], value, MERGE_KEYS[name])
        else:
            into[name] = value


def _merge_list(into: list[Any], patch: list[Any], keys: tuple[str, ...]) -> None:
    key = next(each for each in keys if each in patch[0])
    fresh = []
    for element in patch:
        twin = next((one for one in into if one.get(key) == element[key]), None)
        if twin is None:
            fresh.append(element)
        else:
            merge(twin, element)
    into[:0] = fresh  # kustomize puts what a patch adds in front


def _apply_operations(one: Object, operations: list[Object]) -> None:
    """RFC 6902: add, replace, remove."""
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        at: Any = one
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at[part]
        if isinstance(at, list):
            _change_list(at, last, operation)
        elif operation["op"] == "remove":
            del at[last]
        elif operation["op"] == "add" or last in at:
            at[last] = copy.deepcopy(operation["value"])
        else:
            raise UnknownFeatureError(f"nothing to replace at {operation['path']}")


def _change_list(at: list[Any], last: str, operation: Object) -> None:
    value = copy.deepcopy(operation.get("value"))
    if operation["op"] == "add":
        at.insert(len(at) if last == "-" else int(last), value)
    elif operation["op"] == "replace":
        at[int(last)] = value
    else:
        del at[int(last)]


def _place(one: Object, namespace: str | None) -> None:
    if namespace and one["kind"] not in CLUSTER_WIDE:
        one["metadata"]["namespace"] = namespace


def _set_images(one: Object, images: list[Object]) -> None:
    for container in _containers(one):
        name, _, tag = container["image"].partition(":")
        for wanted in images:
            if wanted["name"] == name:
                _refuse(wanted.keys() - {"name", "newName", "newTag", "digest"}, Path(name))
                base = wanted.get("newName", name)
                tag = wanted.get("newTag", tag)
                container["image"] = f"{base}@{wanted['digest']}" if "digest" in wanted else f"{base}:{tag}"


def _containers(one: Object) -> Iterator[Object]:
    if one["kind"] == "Deployment":
        yield from one["spec"]["template"]["spec"]["containers"]


def _replicate(objects: list[Object], wanted: Object) -> None:
    for one in objects:
        if one["kind"] == "Deployment" and one["metadata"]["name"] == wanted["name"]:
            one["spec"]["replicas"] = wanted["count"]


def dump(objects: list[Object]) -> str:
    """As YAML documents."""
    return yaml.safe_dump_all(json.loads(json.dumps(objects)), sort_keys=False)
