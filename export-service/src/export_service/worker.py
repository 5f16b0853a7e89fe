"""The worker of export-service: makes the files, sends the service's events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from export_service.events import EVENTS
from export_service.exports import repository, tasks
from export_service.exports.maker import ExportMaker
from export_service.exports.plans import Planner
from export_service.exports.render_pool import open_pool
from export_service.exports.service import QUEUE
from export_service.exports.sessions import SessionSource
from export_service.exports.sweeper import FileSweeper
from export_service.privacy.holdings import HOLDINGS
from export_service.settings import ExportSettings
from intervai_shared.jobs import JobRecords
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.privacy import tasks as privacy
from intervai_shared.privacy.eraser import Extras
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.resources import Resources, open_resources
from intervai_shared.settings import load_settings
from intervai_shared.storage import FileStorage

SUBSCRIBERS = {"export.completed": ["user-service"], "user.erased": ["user-service"]}


@dataclass(frozen=True)
class ExportWorker:
    """What a worker process holds."""

    resources: Resources
    maker: ExportMaker
    sweeper: FileSweeper
    erasures: Erasures


@asynccontextmanager
async def open_worker(settings: ExportSettings) -> AsyncIterator[ExportWorker]:
    """Opens everything."""
    async with (
        open_resources(settings, repository.INDEXES) as resources,
        open_pool(settings.render_processes, settings.render_seconds, settings.render_memory_mb) as pool,
    ):
        storage = FileStorage(settings)
        resources.health.add("s3", storage.check, needed=False)
        records = JobRecords(resources.mongo.db.exports, resources.live)
        exports = repository.ExportRepository(resources.mongo.db)
        planner = Planner(SessionSource(resources.services), pool)
        maker = ExportMaker(exports, records, planner, storage, resources.outbox)
        erasures = Erasures(resources, HOLDINGS, Extras(storage=lambda: storage))
        sweeper = FileSweeper(exports, storage, timedelta(days=settings.export_days))
        yield ExportWorker(resources, maker, sweeper, erasures)


def create_worker() -> ServiceWorker[ExportSettings, ExportWorker]:
    """Reads the settings from the environment."""
    settings = load_settings(ExportSettings)
    threads = settings.export_threads
    worker = ServiceWorker(settings, open_worker, threads=threads, events=EVENTS, subscribers=SUBSCRIBERS)
    worker.actor(tasks.make_export, QUEUE, records="exports", time_limit=tasks.TIME_LIMIT_MS)
    worker.scheduled(tasks.sweep_files, "40 * * * *")
    privacy.declare(worker)
    worker.on_events(privacy.handlers)
    return worker
