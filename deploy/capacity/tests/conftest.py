"""The real files, and small ones of a test's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from intervai_capacity.measured import Measured, load_measured
from intervai_capacity.tiers import TIERS_FILE, Tiers, load_tiers


@pytest.fixture(scope="session")
def tiers() -> Tiers:
    return load_tiers()


@pytest.fixture(scope="session")
def measured() -> Measured:
    return load_measured()


@pytest.fixture
def content() -> dict[str, Any]:
    """What tiers.yaml says, to be changed."""
    document: dict[str, Any] = yaml.safe_load(TIERS_FILE.read_text())
    return document


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    """Makes a file of it."""

    def write(document: Any) -> Path:
        file = tmp_path / "tiers.yaml"
        file.write_text(yaml.safe_dump(document))
        return file

    return write
