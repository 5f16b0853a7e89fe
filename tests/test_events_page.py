"""docs/events.md says what the services' catalogues say, and subscribers read what publishers write."""

import importlib
import re
from pathlib import Path

import pytest

from intervai_shared.messaging.events.catalogue import Catalogue, Event, ForeignEvent
from intervai_shared.privacy.events import UserErased

PAGE = Path(__file__).parents[1] / "docs/events.md"
SERVICES = ("auth-service", "user-service", "qa-service", "export-service")


def catalogue(service: str) -> Catalogue:
    events: Catalogue = importlib.import_module(f"{service.replace('-', '_')}.events").EVENTS
    return events


def subscribers(service: str) -> dict[str, list[str]]:
    worker = importlib.import_module(f"{service.replace('-', '_')}.worker")
    found: dict[str, list[str]] = getattr(worker, "SUBSCRIBERS", {})
    return found


def written(service: str) -> dict[str, type[Event]]:
    """The service's own events, by type."""
    return {event.TYPE: event for event in catalogue(service) if not issubclass(event, ForeignEvent)}


def fields(event: type[Event]) -> list[str]:
    return sorted(str(field.alias) for field in event.model_fields.values())


def row(service: str, event: type[Event]) -> str:
    data = ", ".join(f"`{name}`" for name in fields(event))
    who = ", ".join(subscribers(service).get(event.TYPE, []))
    when = (event.__doc__ or "").strip()
    cells = [f"`{event.TYPE}`", str(event.VERSION), event.AGGREGATE, service, data, when, who]
    return "| " + " | ".join(cells) + (" |" if who else "|")


def test_the_page_lists_every_event_as_its_catalogue_has_it() -> None:
    rows = re.findall(r"^\| `\w+\.[\w-]+` \|.*$", PAGE.read_text(), re.MULTILINE)
    assert rows == [row(service, event) for service in SERVICES for event in written(service).values()]


@pytest.mark.parametrize("service", SERVICES)
def test_every_event_of_a_service_is_in_its_catalogue(service: str) -> None:
    module = importlib.import_module(f"{service.replace('-', '_')}.events")
    declared = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event)]
    for event in declared:
        assert event in catalogue(service) or event in (Event, ForeignEvent), event


@pytest.mark.parametrize("service", SERVICES)
def test_who_subscribes_knows_the_event_as_it_is_written(service: str) -> None:
    for event_type, readers in subscribers(service).items():
        event = written(service)[event_type]
        for reader in readers:
            [known] = [each for each in catalogue(reader) if event_type == each.TYPE]
            assert (known.VERSION, known.AGGREGATE) == (event.VERSION, event.AGGREGATE)
            assert set(fields(known)) <= set(fields(event))


def test_a_topic_of_kafka_has_one_service_that_writes_it() -> None:
    """So its order is that of one log. Each report of an erasure is an aggregate of its own, with one event."""
    events = {(event.AGGREGATE, service) for service in SERVICES for event in written(service).values()}
    writers = {(aggregate, service) for aggregate, service in events if aggregate != UserErased.AGGREGATE}
    assert len({aggregate for aggregate, _ in writers}) == len(writers)
