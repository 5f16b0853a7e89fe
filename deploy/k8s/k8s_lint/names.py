"""Names of generated ConfigMaps: they end in a hash of the content, so that a change of settings is a roll-out."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

#: kustomize's alphabet: no digits and vowels that could make a word (api/hasher/hasher.go says why).
LETTERS = str.maketrans({"0": "g", "1": "h", "3": "k", "a": "m", "e": "t"})


def named_by_content(objects: list[Object]) -> list[Object]:
    """The objects with the final names of generated ConfigMaps, also where others refer to them."""
    final = {one["metadata"]["name"]: _hashed(one) for one in objects if one.pop("generated", False)}
    for one in objects:
        if one["kind"] == "ConfigMap":
            one["metadata"]["name"] = final.get(one["metadata"]["name"], one["metadata"]["name"])
        for reference in references(one):
            reference["name"] = final.get(reference["name"], reference["name"])
    return objects


def _hashed(config_map: Object) -> str:
    name = config_map["metadata"]["name"]
    content = {"data": config_map["data"], "kind": "ConfigMap", "name": ""}  # kustomize hashes no name
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":  # as Go writes them
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10].translate(LETTERS)}"


def references(one: Object) -> Iterator[Object]:
    """Every `{name: …}` in a pod that names a ConfigMap."""
    if one["kind"] != "Deployment":
        return
    pod = one["spec"]["template"]["spec"]
    for container in pod["containers"]:
        yield from (source["configMapRef"] for source in container.get("envFrom", []) if "configMapRef" in source)
        for variable in container.get("env", []):
            if "configMapKeyRef" in variable.get("valueFrom", {}):
                yield variable["valueFrom"]["configMapKeyRef"]
    for volume in pod.get("volumes", []):
        sources = volume.get("projected", {}).get("sources", [volume])
        yield from (source["configMap"] for source in sources if "configMap" in source)
