"""The events of export-service."""

from intervai_shared.messaging.events.catalogue import Catalogue, Event
from intervai_shared.models import Id
from intervai_shared.privacy.events import UserDeletion, UserErased


class ExportCompleted(Event):
    """The file of an export is ready."""

    TYPE = "export.completed"
    AGGREGATE = "export"

    user: Id
    format: str
    size_bytes: int


EVENTS = Catalogue(ExportCompleted, UserErased, UserDeletion)
