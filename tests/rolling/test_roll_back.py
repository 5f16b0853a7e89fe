"""A roll whose new instance does not start stops there, and what ran goes on."""

import os
import subprocess
import sys

import pytest
from rich.console import Console

from intervai_local.lifecycle import Suite
from intervai_local.state import State


@pytest.mark.timeout(300)
def test_settings_with_which_nothing_starts_replace_nothing() -> None:
    suite = Suite(State.from_environment(), Console(stderr=True))
    pids, saved = suite.supervisor.pids(), suite.state.read("suite.json")
    done = subprocess.run(
        [sys.executable, "-m", "intervai_local", "roll", "export-worker", "--setting", "REDIS_TIMEOUT_SECONDS"],
        env={**os.environ, "REDIS_TIMEOUT_SECONDS": "soon"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "export-worker-2 ended while it was starting; the end of its log:" in done.stderr
    assert "cannot start, wrong settings: REDIS_TIMEOUT_SECONDS" in done.stderr
    assert "nothing of export-worker was replaced: what ran goes on" in done.stderr
    assert suite.supervisor.pids() == pids
    assert suite.state.read("suite.json") == saved
