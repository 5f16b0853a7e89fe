"""The events of auth-service, and those that it has subscribed to."""

from intervai_shared.messaging.events.catalogue import Catalogue, Event, ForeignEvent
from intervai_shared.models import Id, UtcTime
from intervai_shared.privacy.events import UserDeletion, UserErased


class UserRegistered(Event):
    """A person made an account."""

    TYPE = "user.registered"
    AGGREGATE = "user"

    email: str
    full_name: str


class UserNewDevice(Event):
    """A person logged in from a device that was not known."""

    TYPE = "user.new-device"
    AGGREGATE = "user"

    address: str
    user_agent: str
    at: UtcTime


class UserEmailChanged(Event):
    """An account has another e-mail address."""

    TYPE = "user.email-changed"
    AGGREGATE = "user"

    email: str


class UserUnsubscribed(Event):
    """A person wants no more letters of a kind, by one click in such a letter."""

    TYPE = "user.unsubscribed"
    AGGREGATE = "user"

    letter: str


class PreferencesChanged(ForeignEvent):
    """A person wants other letters than before, in user-service."""

    TYPE = "preferences.changed"
    AGGREGATE = "preferences"

    user: Id
    mail: dict[str, bool]


EVENTS = Catalogue(
    UserRegistered,
    UserNewDevice,
    UserEmailChanged,
    UserUnsubscribed,
    UserErased,
    UserDeletion,
    PreferencesChanged,
)
