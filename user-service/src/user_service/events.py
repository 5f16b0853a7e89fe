"""The events that user-service has subscribed to."""

from intervai_shared.messaging.events.catalogue import Catalogue, ForeignEvent


class UserRegistered(ForeignEvent):
    """A person made an account, in auth-service."""

    TYPE = "user.registered"
    AGGREGATE = "user"

    email: str
    full_name: str


EVENTS = Catalogue(UserRegistered)
