"""Projections: collections that are made from events alone, and so can be made anew from the log (see `replay`).

A projection has generations. Each is a set of collections of its own; the document of the projection in `projections`
says which one is read. The first keeps the plain names of the collections; one that a replay has built adds its id to
them.

An event is applied once to each generation: the inbox remembers it by the event's id and the generation's key.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pymongo import IndexModel

from intervai_shared.models import Document
from intervai_shared.mongo import Collection, Database, Session

#: The generation from before the first replay.
FIRST = ""


@dataclass(frozen=True)
class View:
    """The collections of one generation, by their plain names."""

    db: Database
    generation: str

    def __getitem__(self, collection: str) -> Collection:
        return self.db[f"{collection}.{self.generation}" if self.generation else collection]


#: Applies an event, as `catalogue.wire` makes it, to a generation, within the transaction of the session. It has
#: effects only there, and does not mind in which order two events come: several workers may turn them round.
ProjectionHandler = Callable[[Document, View, Session], Awaitable[None]]


@dataclass(frozen=True)
class Projection:
    """`indexes`: the collections that it owns, each with its indexes. `handlers`: what it does, by event type."""

    name: str
    indexes: Mapping[str, Sequence[IndexModel]]
    handlers: Mapping[str, ProjectionHandler]

    def key(self, generation: str) -> str:
        """What the inbox knows a generation by."""
        return f"{self.name}.{generation}" if generation else self.name


async def current(db: Database, projection: Projection, read_db: Database | None = None) -> View:
    """The generation to read; its collections are those of `read_db`, if one is given."""
    state = await db.projections.find_one({"_id": projection.name})
    return View(db if read_db is None else read_db, state["active"] if state else FIRST)


class Projections:
    """What a service's projections do with the events that come in."""

    def __init__(self, db: Database, declared: Sequence[Projection]) -> None:
        self._db = db
        self._declared = declared

    async def consumers(self, event_type: str) -> list[tuple[str, Callable[[Document, Session], Awaitable[None]]]]:
        """Who applies an event of this type, each with its key: the generation that is read, and one that a replay is
        about to put in its place."""
        interested = [projection for projection in self._declared if event_type in projection.handlers]
        if not interested:
            return []
        names = [projection.name for projection in interested]
        states = {state["_id"]: state async for state in self._db.projections.find({"_id": {"$in": names}})}
        return [
            (projection.key(generation), partial(_apply, projection.handlers[event_type], View(self._db, generation)))
            for projection in interested
            for generation in _fed(states.get(projection.name))
        ]


async def _apply(handler: ProjectionHandler, view: View, event: Document, session: Session) -> None:
    await handler(event, view, session)


def _fed(state: Document | None) -> list[str]:
    if state is None:
        return [FIRST]
    joining = state.get("joining")
    return [state["active"], *([joining] if joining is not None else [])]
