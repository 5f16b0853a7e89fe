"""What the worker process is told to do."""

import pytest

from export_service.settings import ExportSettings
from export_service.worker import ExportWorker, create_worker, open_worker
from intervai_shared.settings import load_settings
from intervai_shared.storage import StorageError


@pytest.mark.usefixtures("own_database")
def test_forgotten_jobs_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    erasures = ("erasures", "erase_person", "privacy")
    assert create_worker()._runtime.swept == [("exports", "make_export", "exports"), erasures]


async def test_the_bucket_itself_removes_old_files(worker: ExportWorker) -> None:
    storage = worker.maker._storage
    rules = storage._client.get_bucket_lifecycle_configuration(Bucket=storage._bucket)["Rules"]
    (ours,) = [rule for rule in rules if rule["Filter"].get("Prefix") == "exports/"]
    assert (ours["Status"], ours["Expiration"]["Days"]) == ("Enabled", 7)


@pytest.mark.usefixtures("own_database")
async def test_a_worker_starts_also_where_it_cannot_write_that_rule() -> None:
    settings = load_settings(ExportSettings).model_copy(update={"s3_bucket": "no-such-bucket"})
    async with open_worker(settings) as worker:
        with pytest.raises(StorageError, match="lifecycle"):
            await worker.maker._storage.expire_after("exports/", 7)
