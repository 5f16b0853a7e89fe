"""The rules of links that show a session."""

from datetime import timedelta

from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session as MongoSession
from intervai_shared.resources import Resources
from qa_service.questions.repository import QuestionRepository
from qa_service.sessions.repository import SessionRepository
from qa_service.sessions.rules import NOT_FOUND
from qa_service.settings import QaSettings
from qa_service.shares.links import NewLink, hash_of
from qa_service.shares.repository import ShareRepository
from qa_service.shares.schemas import NewShare

#: Of one session.
MOST_LINKS = 50
#: One sentence for wrong, revoked and expired links: it tells nothing of what there was.
NO_LINK = "There is nothing under this link, or no longer."
_ALWAYS = ("text", "difficulty", "category")
_ANSWERS = ("answer", "keyPoints", "followUps")


class ShareService:
    """Links of one owner at a time, and what they show to anybody."""

    def __init__(
        self,
        resources: Resources,
        settings: QaSettings,
        shares: ShareRepository,
        sessions: SessionRepository,
        questions: QuestionRepository,
    ) -> None:
        self._mongo = resources.mongo
        self._limits = resources.limits
        self._rule = settings.rate_limit_shared
        self._shares = shares
        self._sessions = sessions
        self._questions = questions

    async def add(self, user: ObjectId, session_id: ObjectId, wanted: NewShare) -> Document:
        """A new link to a session, with its token.

        Raises:
            NotFoundError: the user has no such session.
            ConflictError: it has too many links; or see `NewLink.require_stored`.
        """
        link, now = NewLink(), utc_now()
        until = now + timedelta(hours=wanted.expires_in_hours)
        shows = wanted.model_dump(by_alias=True, include={"with_notes", "with_answers"})
        times = {"createdAt": now, "expiresAt": until}
        share = {"_id": ObjectId(), "session": session_id, "tokenHash": link.hash, **shows, "views": 0, **times}

        async def store(transaction: MongoSession) -> Document:
            # The session is written to: of its deletion at the same time one comes first, and no link is left behind.
            if not await self._sessions.count_link(user, session_id, transaction):
                raise NotFoundError(NOT_FOUND)
            if await self._shares.count(user, session_id, transaction) >= MOST_LINKS:
                raise ConflictError(f"There are {MOST_LINKS} links to this session already. Revoke one first.")
            await self._shares.insert(user, share, transaction)
            return share

        stored = await self._mongo.transaction(store)
        link.require_stored(stored)
        return {**stored, "url": f"/api/v1/shared/sessions/{link.token}", "token": link.token}

    async def page(self, user: ObjectId, session_id: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the links to a session, the newest first. Raises NotFoundError."""
        found = await self._shares.page(user, session_id, limit + 1, NEWEST_FIRST.position(cursor))
        if not found and await self._sessions.get(user, session_id) is None:
            raise NotFoundError(NOT_FOUND)
        return NEWEST_FIRST.page(found, limit)

    async def revoke(self, user: ObjectId, session_id: ObjectId, share_id: ObjectId) -> None:
        """The link works no longer. Raises NotFoundError."""
        if not await self._shares.delete(user, session_id, share_id):
            raise NotFoundError("There is no such link.")

    async def show(self, token: str, address: str) -> Document:
        """What a link shows. `address`: where the request comes from.

        Raises:
            TooManyRequestsError: too many looks from there.
            NotFoundError: nothing is under this link.
        """
        await self._limits.hit("shared", self._rule, address)
        share = await self._shares.opened(hash_of(token), utc_now())
        session = await self._sessions.get(share["user"], share["session"]) if share else None
        if share is None or session is None:
            raise NotFoundError(NO_LINK)
        questions = await self._questions.all_of_session(share["user"], share["session"])
        await self._shares.count_view(share)
        shown = [_shown(question, share) for question in questions]
        return {**session, "expiresAt": share["expiresAt"], "questions": shown}


def _shown(question: Document, share: Document) -> Document:
    fields = _ALWAYS + _ANSWERS * share["withAnswers"] + ("notes",) * share["withNotes"]
    return {field: question[field] for field in fields}
