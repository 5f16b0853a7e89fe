"""What the worker process is told to do."""

import pytest

from export_service.exports.tasks import sweep_files
from export_service.settings import ExportSettings
from export_service.worker import ExportWorker, create_worker, open_worker
from intervai_shared.settings import load_settings
from intervai_shared.storage import StorageError


@pytest.mark.usefixtures("own_database")
def test_forgotten_jobs_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    erasures = ("erasures", "erase_person", "privacy")
    assert create_worker()._runtime.swept == [("exports", "make_export", "exports"), erasures]


async def test_the_sweep_has_the_bucket_itself_remove_old_files(worker: ExportWorker) -> None:
    await sweep_files(worker)
    storage = worker.maker._storage
    rules = storage._client.get_bucket_lifecycle_configuration(Bucket=storage._bucket)["Rules"]
    (ours,) = [rule for rule in rules if rule["Filter"].get("Prefix") == "exports/"]
    assert (ours["Status"], ours["Expiration"]["Days"]) == ("Enabled", 7)


@pytest.mark.usefixtures("own_database")
async def test_where_that_rule_cannot_be_written_the_sweep_does_without_it() -> None:
    settings = load_settings(ExportSettings).model_copy(update={"s3_bucket": "no-such-bucket"})
    async with open_worker(settings) as worker:
        with pytest.raises(StorageError, match="lifecycle"):
            await worker.maker._storage.expire_after("exports/", 7)
        await worker.sweeper.have_bucket_expire()
