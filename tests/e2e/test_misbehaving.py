"""On a suite whose provider fails half of the time, in every way: people notice nothing but time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.misbehaving import QUESTIONS, TOPICS

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = {
    "OPENAI_API_KEY": "",
    "OPENAI_MODEL": "intervai-offline-1?fault=any&share=0.5&seed=11",
    "OPENAI_MODEL_HIGH": "intervai-offline-1?fault=refusal",
    "RATE_LIMIT_SCALE": "0",
    "GENERATION_CACHE_SECONDS": "0",
    "ARGON2_TIME_COST": "1",
    "ARGON2_MEMORY_KIB": "8192",
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    command = [sys.executable, "-m", "intervai_local", "exec", "--", sys.executable, "-m", "tests.e2e.misbehaving"]
    run = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **SETTINGS},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    told: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return told


@pytest.mark.timeout(300)
def test_every_session_gets_all_its_questions(found: dict[str, Any]) -> None:
    assert [job["status"] for job in found["jobs"]] == ["succeeded"] * len(TOPICS), found["jobs"]
    assert [len(texts) for texts in found["texts"]] == [QUESTIONS] * len(TOPICS)


def test_no_question_is_in_another_alphabet_and_none_comes_twice(found: dict[str, Any]) -> None:
    texts = [text for texts in found["texts"] for text in texts]
    assert not [text for text in texts if any("\u0400" <= letter <= "\u04ff" for letter in text)]
    plain = {"".join(filter(str.isalnum, text.casefold())) for text in texts}
    assert len(plain) == len(texts)


def test_each_call_is_booked_also_those_of_no_use(found: dict[str, Any]) -> None:
    """At least one call a job, and those that failed half of the time beside them."""
    assert found["usage"]["today"]["calls"] > len(TOPICS) + 1
    assert found["usage"]["reservedUsd"] == 0


def test_a_refusal_is_told_at_once(found: dict[str, Any]) -> None:
    assert found["high"]["status"] == "failed"
    assert found["high"]["error"] == "The language model declined to answer this."
