"""Sessions of files that were exported."""

from bson import ObjectId

from intervai_shared.models import Document
from intervai_shared.resources import Resources
from qa_service.questions.service import new_question
from qa_service.sessions.import_schemas import SessionImport
from qa_service.sessions.storing import WholeSessions, new_session
from qa_service.settings import QaSettings

#: What a file tells of the exported things themselves.
_OF_THE_EXPORTED = {"id", "created_at"}


class SessionImporter:
    """Makes a session of a file, with its questions."""

    def __init__(self, resources: Resources, settings: QaSettings, whole: WholeSessions) -> None:
        self._limits = resources.limits
        self._rule = settings.rate_limit_import
        self._whole = whole

    async def import_session(self, user: ObjectId, wanted: SessionImport) -> Document:
        """A new session, all in one transaction; its questions are the user's own. Emits `session.created` and
        `questions.added`. What the model would make of them is not asked: no generation starts.

        Raises:
            TooManyRequestsError: the user's imports of this hour are used up.
        """
        await self._limits.hit("imports", self._rule, str(user))
        described = wanted.session.model_dump(by_alias=True, exclude=_OF_THE_EXPORTED)
        session = new_session(described, len(wanted.questions))
        return await self._whole.store(user, session, _questions(wanted, session["_id"]))


def _questions(wanted: SessionImport, session_id: ObjectId) -> list[Document]:
    """In the file's order: made from the last to the first, since of the questions of one moment the list shows the
    highest id first."""
    made = [
        new_question(session_id, question.model_dump(by_alias=True, exclude=_OF_THE_EXPORTED), source="custom")
        for question in reversed(wanted.questions)
    ]
    return made[::-1]
