"""The two events of an erasure. They stay in the logs, and hold of a person nothing but the bare id."""

from collections.abc import Mapping

from intervai_shared.messaging.events.catalogue import Event, ForeignEvent
from intervai_shared.models import Id

DELETED, ERASED = "user.deleted", "user.erased"


class UserDeletion(ForeignEvent):
    """A person has asked to be erased: `user.deleted` of user-service, as the services read it."""

    TYPE = DELETED
    AGGREGATE = "erasure"

    user: Id


class UserErased(Event):
    """A service has erased what it held of a person."""

    TYPE = ERASED
    #: Each report is an aggregate of its own: four services write them, and no order is promised among those.
    AGGREGATE = "erasure-report"

    erasure_id: Id
    service: str
    counts: Mapping[str, int]
