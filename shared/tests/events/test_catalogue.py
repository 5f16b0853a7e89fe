"""The catalogue: an event is read at its latest version, or refused."""

from typing import Any

import pytest
from bson import ObjectId
from pydantic import ValidationError

from intervai_shared.messaging.events.catalogue import Catalogue, Event, ForeignEvent, UnknownVersionError
from intervai_shared.models import Document


def event(event_type: str, version: int, data: Document) -> Document:
    return {"id": str(ObjectId()), "type": event_type, "version": version, "data": data}


@pytest.mark.parametrize(("version", "data"), [(1, {"how": "badly"}), (2, {"parts": 9}), (3, {"parts": 10})])
def test_an_event_of_any_former_version_is_read_at_the_latest(things: Any, version: int, data: Document) -> None:
    former = event("thing.broken", version, data)
    latest = things.catalogue.latest(former)
    assert (latest["version"], latest["data"], latest["id"]) == (3, {"parts": 10}, former["id"])
    assert former["version"] == version  # what was read is left as it is


@pytest.mark.parametrize("version", [0, 4])
def test_an_event_of_a_version_that_is_not_known_is_refused(things: Any, version: int) -> None:
    with pytest.raises(UnknownVersionError, match=r"thing\.broken version .* known here are 1 to 3"):
        things.catalogue.latest(event("thing.broken", version, {"parts": 10}))


def test_data_that_are_not_what_their_version_says_are_refused(things: Any) -> None:
    with pytest.raises(ValidationError):
        things.catalogue.latest(event("thing.made", 1, {"size": "large"}))


def test_a_type_that_is_not_declared_is_read_as_it_is(things: Any) -> None:
    unknown = event("thing.sold", 7, {"price": 3})
    assert things.catalogue.latest(unknown) == unknown


def test_an_event_cannot_be_written_with_a_field_that_nobody_declared(things: Any) -> None:
    with pytest.raises(ValidationError, match="colour"):
        things.Made(size=3, colour="red")


def test_of_another_service_s_event_only_the_fields_in_use_need_be_declared() -> None:
    class Registered(ForeignEvent):
        """Of another service."""

        TYPE = "user.registered"
        AGGREGATE = "user"

        email: str

    whole = event("user.registered", 1, {"email": "a@b", "fullName": "Ada"})
    assert Catalogue(Registered).latest(whole) == whole


def test_a_type_is_declared_once(things: Any) -> None:
    with pytest.raises(ValueError, match="declared twice"):
        Catalogue(things.Made, things.Made)


def test_a_former_version_without_upcaster_is_noticed_at_the_start() -> None:
    class Second(Event):
        """Its first version was forgotten."""

        TYPE = "thing.seconded"
        VERSION = 2
        AGGREGATE = "thing"

    with pytest.raises(ValueError, match=r"thing\.seconded: needs an upcaster for each version from 1 to 1"):
        Catalogue(Second)
