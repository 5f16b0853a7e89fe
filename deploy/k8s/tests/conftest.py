"""The checks of deploy/k8s are no installed package."""

import copy
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))
sys.path.insert(0, str(Path(__file__).parent))

from k8s_lint import kustomize  # noqa: E402  after the path

Objects = list[dict[str, Any]]


@pytest.fixture(scope="session")
def rendered() -> Objects:
    """Tier 2, as kustomize renders it; not to be changed."""
    return kustomize.build(FOLDER / "overlays/tier-2")


@pytest.fixture
def objects(rendered: Objects) -> Objects:
    """The same, to be broken."""
    return copy.deepcopy(rendered)
