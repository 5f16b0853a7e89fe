"""What the worker of user-service does for erasure and data files."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from intervai_shared.messaging.inbox import EventHandler
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.mongo import object_id
from intervai_shared.privacy import tasks as erasing
from intervai_shared.privacy.events import ERASED
from user_service.privacy.data_files import QUEUE, RECORDS
from user_service.settings import UserSettings

if TYPE_CHECKING:
    from user_service.container import UserContainer


async def make_data_file(container: "UserContainer", file_id: str) -> None:
    """Makes a file with all data of a person. Idempotent by the file's record, see `DataGatherer.run`."""
    await container.data_gatherer.run(object_id(file_id))


async def sweep_data_files(container: "UserContainer") -> None:
    """Removes old files. Idempotent: what is gone is gone."""
    await container.data_files.sweep()


def declare(worker: ServiceWorker[UserSettings, "UserContainer"]) -> None:
    """The actors, and what is due by the clock."""
    erasing.declare(worker)
    worker.actor(make_data_file, QUEUE, records=RECORDS)
    worker.scheduled(sweep_data_files, "10 * * * *")


def event_handlers(container: "UserContainer") -> Mapping[str, EventHandler]:
    """By event type. Idempotent by the inbox."""
    return {**erasing.handlers(container), ERASED: container.erasure_requests.take_report}
