"""Actors of exports."""

from typing import TYPE_CHECKING

from intervai_shared.mongo import object_id

if TYPE_CHECKING:
    from export_service.worker import ExportWorker

#: A bundle may be 20 of the largest files, with 30 s of rendering each.
TIME_LIMIT_MS = 12 * 60 * 1000


async def make_export(container: "ExportWorker", export_id: str) -> None:
    """Makes the file of an export. Idempotent by the export's record, see `ExportMaker.run`."""
    await container.maker.run(object_id(export_id))


async def sweep_files(container: "ExportWorker") -> None:
    """Removes files without an export, and those that are old. Idempotent: what is gone is gone."""
    await container.sweeper.have_bucket_expire()
    await container.sweeper.run()
