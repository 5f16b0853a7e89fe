"""docs/operations.md says what is: its table is that of the tests, its metrics, log lines and settings exist."""

import re
from pathlib import Path

import pytest

from tests.chaos import dependencies

REPOSITORY = Path(__file__).parents[2]
PAGE = dependencies.PAGE.read_text()
CODE = [file for folder in REPOSITORY.glob("*/src") for file in folder.rglob("*.py")]
#: What else reads settings, or has commands.
FILES = [REPOSITORY / name for name in ("Makefile", "gateway/static.sh", "deploy/compose/tls.yml")]
SOURCES = "\n".join(file.read_text() for file in [*CODE, *FILES])


def test_the_page_shows_the_table_that_the_tests_prove() -> None:
    assert dependencies.page_with_table(PAGE) == PAGE, "run: python -m tests.chaos.dependencies"


@pytest.mark.parametrize("metric", sorted(set(re.findall(r"intervai_[a-z_]+_(?:total|seconds)", PAGE))))
def test_each_metric_of_the_page_exists(metric: str) -> None:
    assert f'"{metric}"' in SOURCES


@pytest.mark.parametrize("setting", sorted(set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PAGE))))
def test_each_setting_of_the_page_exists(setting: str) -> None:
    assert setting in SOURCES or setting.lower() in SOURCES


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z]+)", PAGE))))
def test_each_make_target_of_the_page_exists(target: str) -> None:
    assert re.search(rf"^{target}:", SOURCES, re.MULTILINE)


def test_each_log_line_of_the_page_exists() -> None:
    named = PAGE.split("Log lines that announce trouble:")[1].split("\n\n")[0]
    lines = re.findall(r"`([^`]+)`", named)
    assert len(lines) > 5
    assert [line for line in lines if f'"{line}' not in SOURCES] == []
