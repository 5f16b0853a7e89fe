"""What the worker process is told to do."""

import pytest

from qa_service.worker import create_worker


@pytest.mark.usefixtures("own_database")
def test_forgotten_jobs_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    erasures = ("erasures", "erase_person", "privacy")
    assert create_worker()._runtime.swept == [("jobs", "do_job", "generation"), erasures]
