"""Every object against its schema, strictly: an unknown field is an error."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

Object = dict[str, Any]

#: The oldest version that knows all that is used here (the sleep of preStop), and a recent one.
VERSIONS = ("1.32", "1.36")
CUSTOM = Path(__file__).parents[1] / "schemas"


def name_of(one: Object) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"


def findings(objects: list[Object]) -> Iterator[str]:
    for one in objects:
        yield from _custom(one) if _is_custom(one) else _built_in(one)
    names = [(one["apiVersion"], name_of(one)) for one in objects]
    yield from (f"{name}: twice" for _, name in sorted({each for each in names if names.count(each) > 1}))


def _is_custom(one: Object) -> bool:
    return str(one["apiVersion"]).startswith(("traefik.io/", "keda.sh/"))


def _built_in(one: Object) -> Iterator[str]:
    group, _, version = one["apiVersion"].rpartition("/")
    file = f"{one['kind'].lower()}-{group.split('.')[0]}{'-' if group else ''}{version}.json"
    for release in VERSIONS:
        try:
            validator = _strict(release, file)
        except FileNotFoundError:
            yield f"{name_of(one)}: Kubernetes {release} has no {one['apiVersion']} {one['kind']}"
            continue
        for error in validator.iter_errors(one):
            yield f"{name_of(one)}: {release}: {error.json_path}: {error.message[:200]}"


@cache
def _strict(release: str, file: str) -> jsonschema.Draft202012Validator:
    """The package's own `validate` reads its 1 MB of definitions again for each object."""
    schema = schema_contents(f"{_folder(release)}/{file}", release)
    return jsonschema.Draft202012Validator(schema, registry=_definitions(release))


@cache
def _definitions(release: str) -> Registry[Any]:
    return Resource.from_contents(schema_contents(f"{_folder(release)}/_definitions.json", release)) @ Registry()


def _folder(release: str) -> str:
    return f"kubernetes-json-schema/v{release}.0-local-strict"


@cache
def _validator(kind: str) -> jsonschema.Draft202012Validator | None:
    file = CUSTOM / f"{kind.lower()}.json"
    return jsonschema.Draft202012Validator(json.loads(file.read_text())) if file.exists() else None


def _custom(one: Object) -> Iterator[str]:
    if (validator := _validator(one["kind"])) is None:
        yield f"{name_of(one)}: no schema of it in deploy/k8s/schemas"
        return
    for error in validator.iter_errors(one):
        yield f"{name_of(one)}: {error.json_path}: {error.message[:200]}"
