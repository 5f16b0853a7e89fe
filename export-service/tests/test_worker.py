"""What the worker process is told to do."""

import pytest

from export_service.worker import create_worker


@pytest.mark.usefixtures("own_database")
def test_forgotten_jobs_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    erasures = ("erasures", "erase_person", "privacy")
    assert create_worker()._runtime.swept == [("exports", "make_export", "exports"), erasures]
