"""The events of auth-service."""

from intervai_shared.messaging.events.catalogue import Catalogue, Event


class UserRegistered(Event):
    """A person made an account."""

    TYPE = "user.registered"
    AGGREGATE = "user"

    email: str
    full_name: str


EVENTS = Catalogue(UserRegistered)
