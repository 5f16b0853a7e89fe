"""The events of user-service, and those that it has subscribed to."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from intervai_shared.messaging.events.catalogue import Catalogue, Event, ForeignEvent, Upcaster
from intervai_shared.models import Id
from intervai_shared.privacy.events import DELETED, UserErased

#: Each of them erases a person who asks, and reports it.
ERASING_SERVICES = ("auth-service", "user-service", "qa-service", "export-service")


class UserRegistered(ForeignEvent):
    """A person made an account, in auth-service."""

    TYPE = "user.registered"
    AGGREGATE = "user"

    email: str
    full_name: str


class UserEmailChanged(ForeignEvent):
    """A person has another e-mail address, in auth-service."""

    TYPE = "user.email-changed"
    AGGREGATE = "user"

    email: str


class UserUnsubscribed(ForeignEvent):
    """A person wants no more letters of a kind, and has said so to auth-service, which sends them."""

    TYPE = "user.unsubscribed"
    AGGREGATE = "user"

    letter: str


class UserNewDevice(ForeignEvent):
    """A person signed in with a device that auth-service had not seen before."""

    TYPE = "user.new-device"
    AGGREGATE = "user"

    address: str
    user_agent: str
    at: datetime


class QuestionsGenerated(ForeignEvent):
    """A generation has added its questions to a session, in qa-service."""

    TYPE = "questions.generated"
    AGGREGATE = "session"
    VERSION = 2
    UPCASTERS: ClassVar[Mapping[int, Upcaster]] = {1: lambda data: data}  # what version 2 added is of no use here

    user: Id
    job_id: Id
    count: int


class ExportCompleted(ForeignEvent):
    """The file of an export is ready, in export-service."""

    TYPE = "export.completed"
    AGGREGATE = "export"

    user: Id
    format: str
    size_bytes: int


class PreferencesChanged(Event):
    """A person wants other letters than before."""

    TYPE = "preferences.changed"
    AGGREGATE = "preferences"

    user: Id
    mail: dict[str, bool]


class UserDeleted(Event):
    """A person has asked to be erased."""

    TYPE = DELETED
    #: Of the erasure, not of the user: that one's events are auth-service's, and erased.
    AGGREGATE = "erasure"

    user: Id


EVENTS = Catalogue(
    UserRegistered,
    UserEmailChanged,
    UserUnsubscribed,
    UserNewDevice,
    QuestionsGenerated,
    ExportCompleted,
    PreferencesChanged,
    UserDeleted,
    UserErased,
)
