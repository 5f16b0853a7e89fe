"""Our renderer renders what kustomize does, and refuses what it does not know."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from k8s_lint import kustomize

FOLDER = Path(__file__).parents[1]
HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl, which holds the real kustomize, is in no Python package"
)


@needs_kubectl
def test_it_renders_what_kustomize_renders() -> None:
    folder = FOLDER / "overlays/region-eu"  # which has all the rest below it
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True)
    real = [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]
    own = kustomize.build(folder)
    assert len(real) == 68
    assert sorted(json.dumps(one, sort_keys=True) for one in own) == sorted(
        json.dumps(one, sort_keys=True) for one in real
    )


def made(tmp_path: Path, text: str, **files: str) -> list[kustomize.Object]:
    for name, content in files.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    (tmp_path / "kustomization.yaml").write_text(HEAD + text)
    return kustomize.build(tmp_path)


def test_the_name_of_a_config_map_is_that_of_kustomize(tmp_path: Path) -> None:
    [one] = made(tmp_path, "configMapGenerator: [{name: x, literals: [A=b]}]")
    assert one["metadata"]["name"] == "x-b9t2424hkf"  # as kustomize 5.5 names it


@pytest.mark.parametrize(
    "text",
    [
        "namePrefix: a-",
        "configMapGenerator: [{name: x, envs: [file]}]",
        "configMapGenerator: [{name: x, literals: [A=b], behavior: replace}]",
        "resources: [pod.yaml]\npatches: [{patch: '[]', target: {kind: Pod, annotationSelector: a=b}}]",
        "resources: [pod.yaml]\npatches: [{patch: '[]', target: {kind: Service}}]",
    ],
)
def test_what_it_does_not_know_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(kustomize.UnknownFeatureError):
        made(tmp_path, text, pod="kind: Pod\napiVersion: v1\nmetadata: {name: a}\n")


@pytest.mark.parametrize(
    ("selector", "taken"),
    [("", True), ("a=b", True), ("a=c", False), ("a in (b,c)", True), ("a in (c)", False), ("d=b", False)],
)
def test_label_selectors(selector: str, taken: bool) -> None:
    assert kustomize.selects(selector, {"a": "b"}) is taken


def test_a_strategic_merge_goes_into_containers_by_name() -> None:
    one = {"containers": [{"name": "app", "image": "x", "args": ["1"]}], "gone": 1}
    kustomize.merge(one, {"containers": [{"name": "app", "args": ["2"]}, {"name": "new"}], "gone": None})
    assert one == {"containers": [{"name": "new"}, {"name": "app", "image": "x", "args": ["2"]}]}
