"""What the README says is true: its tour runs as it stands, its links lead somewhere, its settings exist."""

import os
import re
import shutil
from pathlib import Path

import pytest

from auth_service.settings import AuthSettings
from export_service.settings import ExportSettings
from intervai_local import environment
from qa_service.settings import QaSettings
from tests.e2e.pages import fields_in, run_blocks
from user_service.settings import UserSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
RUNNERS = {"GATEWAY_PORT", "GATEWAY_HOST", "STATE_DIR"}
TOUR = README.partition("## A five-minute tour")[2].partition("\n## ")[0]


@pytest.mark.skipif(not shutil.which("curl"), reason="the tour is typed with curl, which this machine lacks")
def test_the_tour_runs_as_it_stands(tmp_path: Path, gateway_url: str) -> None:
    blocks = run_blocks(TOUR, tmp_path, gateway_url)
    written = "".join(block.output for block in blocks)
    for promised in ("Ada Lovelace", "event: succeeded", "intervai-offline-1", "Draw the hybrid.", '"status":"ready"'):
        assert promised in written, written
    assert written.strip().splitlines()[-1].startswith('{"type":"urn:intervai:problem:unauthenticated"')
    for block in blocks:
        assert fields_in(block.shown) <= fields_in(block.output), block
    assert (tmp_path / "interview.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("page", [*map(str, sorted(ROOT.glob("*.md"))), *map(str, sorted(ROOT.glob("[!.]*/**/*.md")))])
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    text = re.sub(r"```.*?```", "", Path(page).read_text(), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (Path(page).parent / link).exists()] == []


def test_every_command_and_setting_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= targets | {"and"}
    table = README.partition("\n## Settings")[2].partition("\n## ")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    models = (AuthSettings, UserSettings, QaSettings, ExportSettings)
    known = {name.upper() for model in models for name in model.model_fields}
    assert named - known - RUNNERS - environment.GATEWAY.keys() == set()
    assert len(named) > 15
    assert os.access(ROOT / ".ci/run", os.X_OK)
