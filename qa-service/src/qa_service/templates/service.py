"""The rules of templates."""

from datetime import timedelta

from bson import ObjectId

from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.http.paging import NEWEST_FIRST
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo
from intervai_shared.mongo import Session as MongoSession
from qa_service.sessions.schemas import SessionStart
from qa_service.sessions.service import SessionService
from qa_service.shares.links import NewLink, hash_of
from qa_service.templates.repository import TemplateRepository
from qa_service.templates.schemas import NewTemplate, Recipe, SessionFromTemplate, TemplateChange

#: Of a person.
MOST_TEMPLATES = 200
NOT_FOUND = "There is no such template."
#: One sentence for wrong, revoked and expired links: it tells nothing of what there was.
NO_LINK = "There is nothing under this link, or no longer."


class TemplateService:
    """Templates of one owner at a time, and of links."""

    def __init__(self, mongo: Mongo, templates: TemplateRepository, sessions: SessionService) -> None:
        self._mongo = mongo
        self._templates = templates
        self._sessions = sessions

    async def add(self, user: ObjectId, wanted: NewTemplate) -> Document:
        """A new template. Raises ConflictError when the user has too many."""
        if await self._templates.count(user) >= MOST_TEMPLATES:
            raise ConflictError(f"You have {MOST_TEMPLATES} templates already. Delete one first.")
        now = utc_now()
        template = {"_id": ObjectId(), **wanted.model_dump(by_alias=True), "createdAt": now, "updatedAt": now}

        async def store(transaction: MongoSession) -> Document:
            await self._templates.insert(user, template, transaction)
            return template

        return await self._mongo.transaction(store)

    async def get(self, user: ObjectId, template_id: ObjectId) -> Document:
        """Raises NotFoundError when the user has no such template."""
        if found := await self._templates.get(user, template_id):
            return found
        raise NotFoundError(NOT_FOUND)

    async def page(self, user: ObjectId, limit: int, cursor: str | None) -> Document:
        """A page of the user's templates, the newest first."""
        found = await self._templates.page(user, limit + 1, NEWEST_FIRST.position(cursor))
        return NEWEST_FIRST.page(found, limit)

    async def change(self, user: ObjectId, template_id: ObjectId, change: TemplateChange) -> Document:
        """The template after the change. Raises NotFoundError."""
        fields = change.model_dump(by_alias=True, exclude_unset=True)
        if fields and not await self._templates.update(user, template_id, fields):
            raise NotFoundError(NOT_FOUND)
        return await self.get(user, template_id)

    async def delete(self, user: ObjectId, template_id: ObjectId) -> None:
        """Removes a template, and with it its link. Raises NotFoundError."""
        if not await self._templates.delete(user, template_id):
            raise NotFoundError(NOT_FOUND)

    async def share(self, user: ObjectId, template_id: ObjectId, hours: int) -> Document:
        """A new link to the template; the one before it works no longer.

        Raises:
            NotFoundError: the user has no such template.
            ConflictError: see `NewLink.require_stored`.
        """
        link = NewLink()
        shared = {"tokenHash": link.hash, "sharedUntil": utc_now() + timedelta(hours=hours)}

        async def store(transaction: MongoSession) -> Document:
            if not await self._templates.update(user, template_id, shared, transaction):
                raise NotFoundError(NOT_FOUND)
            return shared

        stored = await self._mongo.transaction(store)
        link.require_stored(stored)
        url = f"/api/v1/shared/templates/{link.token}"
        return {"url": url, "token": link.token, "expiresAt": stored["sharedUntil"]}

    async def unshare(self, user: ObjectId, template_id: ObjectId) -> None:
        """Its link works no longer. Idempotent. Raises NotFoundError."""
        if not await self._templates.unshare(user, template_id):
            raise NotFoundError(NOT_FOUND)

    async def shared(self, token: str) -> Document:
        """The template of a link. Raises NotFoundError."""
        if found := await self._templates.shared(hash_of(token), utc_now()):
            return found
        raise NotFoundError(NO_LINK)

    async def start(self, user: ObjectId, template: Document, wanted: SessionFromTemplate) -> Document:
        """A session of the user by a template, see `SessionService.start`."""
        overrides = wanted.model_dump(exclude_none=True)
        recipe = Recipe.model_validate(template).model_dump(exclude={"name"}, exclude_none=True)
        start = {"title": template["name"], **recipe, **overrides}
        return await self._sessions.start(user, SessionStart.model_validate(start))
