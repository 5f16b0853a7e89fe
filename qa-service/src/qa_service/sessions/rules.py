"""What holds of every change of a session or of what is in it."""

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.models import Document

NOT_FOUND = "There is no such session."
ARCHIVED = "The session is archived and so cannot be changed. Restore it first."


def require_open(session: Document | None) -> Document:
    """The session, if it may be changed.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is archived.
    """
    if session is None:
        raise NotFoundError(NOT_FOUND)
    if session.get("isArchived"):
        raise ConflictError(ARCHIVED)
    return session
