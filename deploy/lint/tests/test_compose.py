"""Compose files are put together as Compose does it, and what is wrong in the result is found."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CONTAINERS = Path(__file__).parents[2] / "containers"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CONTAINERS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


MERGE = load("compose_merge")
CHECK = load("check_compose")


@pytest.mark.parametrize(
    ("base", "override", "result"),
    [
        ({"image": "a"}, {"image": "b"}, {"image": "b"}),
        ({"command": ["a", "b"]}, {"command": ["c"]}, {"command": ["c"]}),
        (
            {"healthcheck": {"test": ["CMD", "a"], "retries": 3}},
            {"healthcheck": {"test": ["CMD", "b"]}},
            {"healthcheck": {"test": ["CMD", "b"], "retries": 3}},
        ),
        (
            {"environment": ["A=1", "B=2=3"]},
            {"environment": {"A": "x"}},
            {"environment": {"A": "x", "B": "2=3"}},
        ),
        ({"ports": ["1:1"]}, {"ports": ["1:1", "2:2"]}, {"ports": ["1:1", "2:2"]}),
        (
            {"volumes": ["old:/data", "./a:/a:ro"]},
            {"volumes": ["new:/data", {"source": "b", "target": "/b"}]},
            {"volumes": ["new:/data", "./a:/a:ro", {"source": "b", "target": "/b"}]},
        ),
        (
            {"volumes": ["${DOCKER_SOCKET:-/var/run/docker.sock}:/var/run/docker.sock:ro"]},
            {"volumes": ["/other:/var/run/docker.sock"]},
            {"volumes": ["/other:/var/run/docker.sock"]},
        ),
        ({"tmpfs": ["/cache:uid=1"]}, {"tmpfs": ["/cache:uid=2", "/run"]}, {"tmpfs": ["/cache:uid=2", "/run"]}),
        ({"networks": ["a"]}, {"networks": {"b": None}}, {"networks": {"a": None, "b": None}}),
        (
            {"depends_on": ["a"]},
            {"depends_on": {"b": {"condition": "service_healthy"}}},
            {"depends_on": {"a": {"condition": "service_started"}, "b": {"condition": "service_healthy"}}},
        ),
        ({"deploy": {"replicas": 1}}, {"deploy": {"resources": {}}}, {"deploy": {"replicas": 1, "resources": {}}}),
    ],
)
def test_a_service_is_merged(base: dict[str, Any], override: dict[str, Any], result: dict[str, Any]) -> None:
    assert MERGE.merge_service(base, override) == result


def test_services_and_volumes_are_added() -> None:
    base = {"services": {"a": {"image": "1"}}, "volumes": {"x": None}}
    merged = MERGE.merged(base, {"services": {"b": {"image": "2"}}, "volumes": {"y": None}})
    assert merged == {"services": {"a": {"image": "1"}, "b": {"image": "2"}}, "volumes": {"x": None, "y": None}}


def test_an_override_that_softens_a_container_is_found() -> None:
    base = CHECK.read("docker-compose.yml")
    softer = {"services": {"qa-service": {"read_only": False}, "new": {"image": "a"}}}
    found = list(CHECK.hardening(MERGE.merged(base, softer)["services"]))
    assert "qa-service: read_only: true is missing" in found
    assert "new: cap_drop: [ALL] is missing" in found
    assert not list(CHECK.hardening(base["services"]))


def test_names_that_lead_nowhere_are_found() -> None:
    base = CHECK.read("docker-compose.yml")
    wrong = {"volumes": ["lost:/x", "./deploy/none:/y:ro"], "networks": ["moon"], "depends_on": ["nobody"]}
    found = "\n".join(CHECK.references(MERGE.merged(base, {"services": {"new": wrong}})))
    for name in ("lost", "./deploy/none", "moon", "nobody"):
        assert name in found


def test_the_overrides_are_all_looked_at() -> None:
    names = {file.name for file in CHECK.overrides()}
    assert {"scaled.yml", "observability.yml", "redis-cluster.yml", "mongo-replicas.yml"} <= names
    assert "docker-provider.yml" not in names
