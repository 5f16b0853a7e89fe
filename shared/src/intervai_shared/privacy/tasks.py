"""What a worker does for the erasure of people."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from bson import ObjectId

from intervai_shared.messaging.inbox import EventHandler
from intervai_shared.messaging.worker import ServiceWorker
from intervai_shared.privacy.erasures import QUEUE, Erasures
from intervai_shared.privacy.events import DELETED
from intervai_shared.privacy.tombstones import ERASURES
from intervai_shared.resources import Resources

#: Milliseconds that the erasure of one person may take: somebody has 100,000 questions.
TIME_LIMIT_MS = 30 * 60 * 1000
#: Minute of each hour at which what came in late is looked for.
SWEEP = "25 * * * *"


class Erasing(Protocol):
    """A worker's container."""

    @property
    def resources(self) -> Resources: ...

    @property
    def erasures(self) -> Erasures: ...


ErasingT = TypeVar("ErasingT", bound=Erasing)


async def erase_person(container: Erasing, user: str) -> None:
    """Erases a person from this service. Idempotent by the erasure's record, see `Erasures.run`."""
    await container.erasures.run(ObjectId(user))


async def sweep_erased(container: Erasing) -> None:
    """Erases what came in late. Idempotent: what is gone is gone."""
    await container.erasures.sweep()


def declare(worker: ServiceWorker[Any, ErasingT]) -> None:
    """The actors of erasure; their service has subscribed to `user.deleted` with `handlers`."""
    worker.actor(erase_person, QUEUE, records=ERASURES, time_limit=TIME_LIMIT_MS, max_age=None)
    worker.scheduled(sweep_erased, SWEEP)


def handlers(container: Erasing) -> Mapping[str, EventHandler]:
    """By event type. Idempotent by the inbox."""
    return {DELETED: container.erasures.begin}
