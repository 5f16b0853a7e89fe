"""What events there are: each type is declared once, as a model of its data, with the upcasters of its former versions.

A service writes its events with these models, so it can write none that nobody reads. Whoever reads one gets it at the
latest version; what was written stays (upcasting, see G. Young, https://leanpub.com/esversioning).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from pydantic import ConfigDict

from intervai_shared.models import Document, WireModel

#: Makes the data of the next version from that of one version.
Upcaster = Callable[[Document], Document]


class Event(WireModel):
    """An event of this service, at its latest version: the fields are its data. The docstring says when it happens."""

    model_config = ConfigDict(extra="forbid")

    #: Like `session.created`: what it is about, and what happened.
    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1
    #: The kind of thing whose id goes with the event, like `session`: its events are in order.
    AGGREGATE: ClassVar[str]
    #: For each former version what makes the next one of it.
    UPCASTERS: ClassVar[Mapping[int, Upcaster]] = {}


class ForeignEvent(Event):
    """An event of another service that this one has subscribed to: only the fields that it uses."""

    model_config = ConfigDict(extra="ignore")


class UnknownVersionError(Exception):
    """The event is of a version that this process does not know, most likely a newer one: it must not guess."""

    def __init__(self, event: Document, known: int) -> None:
        super().__init__(
            f"event {event['id']} is {event['type']} version {event['version']}, known here are 1 to {known}"
        )


class Catalogue:
    """The events that a service writes and those that it reads."""

    def __init__(self, *events: type[Event]) -> None:
        """Raises ValueError when a type is declared twice, or when a former version has no upcaster."""
        self._events = {event.TYPE: event for event in events}
        if len(self._events) < len(events):
            raise ValueError("an event type is declared twice")
        for event in events:
            if sorted(event.UPCASTERS) != list(range(1, event.VERSION)):
                raise ValueError(f"{event.TYPE}: needs an upcaster for each version from 1 to {event.VERSION - 1}")

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._events.values())

    def __contains__(self, event: object) -> bool:
        return event in self._events.values()

    def latest(self, event: Document) -> Document:
        """The event at the latest version of its type; as it is, when the type is not declared here.

        `event` is one as `wire` makes it, and is left as it is.

        Raises:
            UnknownVersionError: it is newer than what is declared.
            pydantic.ValidationError: its data are not what the version says.
        """
        declared = self._events.get(event["type"])
        if declared is None:
            return event
        version, data = event.get("version", 1), event["data"]
        if not 1 <= version <= declared.VERSION:
            raise UnknownVersionError(event, declared.VERSION)
        for former in range(version, declared.VERSION):
            data = declared.UPCASTERS[former](data)
        declared.model_validate(data)
        return {**event, "version": declared.VERSION, "data": data}


def wire(event: Document) -> Document:
    """An event of the log as JSON, as subscribers get it.

    `{id, type, version, source, aggregate, aggregateId, sequence, occurredAt, data}`; `sequence` counts the events of
    the aggregate from 1, `occurredAt` is RFC 3339.
    """
    return {
        "id": str(event["_id"]),
        "type": event["type"],
        "version": event["version"],
        "source": event["source"],
        "aggregate": event.get("aggregate"),
        "aggregateId": str(event["aggregateId"]),
        "sequence": event.get("sequence"),
        "occurredAt": event["occurredAt"].isoformat(),
        "data": event["data"],
    }
