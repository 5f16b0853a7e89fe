"""Chaos in small: a suite of its own is broken twenty times and loses nothing; without outbox the loss is seen."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SABOTAGE = Path(__file__).with_name("sabotage")
OWN = {"OPENAI_API_KEY": "", "RATE_LIMIT_SCALE": "0", "ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8192"}


def chaos(tmp_path: Path, *options: str, seconds: float, **settings: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, the numbers and the output of a run on a suite of its own."""
    numbers = tmp_path / "numbers.json"
    command = [sys.executable, "-m", "intervai_local", "exec", "--", sys.executable, "-m", "tests.chaos"]
    with subprocess.Popen(
        [*command, *options, "--json", str(numbers)],
        cwd=REPOSITORY,
        env={**os.environ, **OWN, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        try:
            output, _ = run.communicate(timeout=seconds)
        except BaseException:
            run.send_signal(signal.SIGTERM)  # it stops its suite
            raise
    assert numbers.exists(), output
    return run.returncode, json.loads(numbers.read_text()), output


@pytest.mark.timeout(420)
def test_twenty_faults_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    code, found, output = chaos(tmp_path, "--faults", "20", "--requests", "600", "--seed", "7", seconds=400)
    assert found["faults"] == 20
    assert found["requests"] >= 600
    assert not found["findings"], output
    assert code == 0, output


@pytest.mark.timeout(420)
def test_without_the_outbox_the_same_checks_find_losses(tmp_path: Path) -> None:
    """Python loads the sabotage into the services alone: neither the runner nor the checker is touched by it. Who waits
    for what was lost waits in vain, and so not long."""
    apis = ",".join(f"{name}-service-1" for name in ("auth", "qa", "export"))
    narrow = ("--victims", apis, "--kinds", "kill", "--settle", "8", "--patience", "20")
    options = ("--faults", "6", "--requests", "450", "--people", "24", "--seed", "7", *narrow)
    code, found, output = chaos(tmp_path, *options, seconds=400, PYTHONPATH=str(SABOTAGE))
    assert found["lost"] > 0, output
    assert code == 1
    assert any("was applied 0 times" in what or "is queued" in what for _, _, what in found["findings"]), output
