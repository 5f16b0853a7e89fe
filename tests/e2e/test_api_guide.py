"""The guide to the API is true: a person's week runs as it stands, and what comes back is what it shows."""

import os
import re
import zipfile
from pathlib import Path

import pytest

from tests.e2e.pages import Block, fields_in, run_blocks
from tests.e2e.routes import all_routes

GUIDE = (Path(__file__).parents[2] / "docs/api-guide.md").read_text()
#: What a block shows of a problem document; nothing else in the week may be refused.
REFUSED = "urn:intervai:problem:"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the person of the guide sits."""
    return tmp_path_factory.mktemp("week")


@pytest.fixture(scope="module")
def week(folder: Path) -> list[Block]:
    """The blocks of the guide, run once for all tests. Without curl or bash they fail, and so do the tests."""
    return run_blocks(GUIDE, folder, os.environ["GATEWAY_URL"])


@pytest.mark.timeout(300)
def test_the_week_runs_as_it_stands_and_every_field_that_it_shows_comes_back(week: list[Block], folder: Path) -> None:
    assert sum(bool(fields_in(block.shown)) for block in week) > 20
    for block in week:
        assert fields_in(block.shown) <= fields_in(block.output), block
    assert (folder / "interview.pdf").read_bytes().startswith(b"%PDF-")
    with zipfile.ZipFile(folder / "week.zip") as bundle:
        assert bundle.testzip() is None
        assert bundle.namelist() == ["01-Backend-engineer-senior.md", "02-Second-round.md"]


@pytest.mark.timeout(300)
def test_jobs_end_as_it_shows_and_nothing_is_refused_but_what_it_says(week: list[Block]) -> None:
    for block in week:
        ends = re.findall(r"^event: \w+", block.shown, re.MULTILINE)[-1:]
        assert set(ends) <= set(block.output.splitlines()), block
        assert block.output.count(REFUSED) == block.shown.count(REFUSED), block


def test_it_visits_every_part_of_the_product() -> None:
    parts = {"/".join(route.path.split("/")[:4]) for route in all_routes() if route.service == "qa-service"}
    public = sorted(part for part in parts if part.startswith("/api/v1/"))
    assert len(public) > 8
    assert [part for part in public if not re.search(rf"{re.escape(part)}(?![\w-])", GUIDE)] == []
