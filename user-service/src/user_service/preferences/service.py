"""The rules of preferences."""

from bson import ObjectId

from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from user_service.events import PreferencesChanged
from user_service.preferences.repository import PreferencesRepository
from user_service.preferences.schemas import Preferences


class PreferencesService:
    """Who has never set any has the defaults."""

    def __init__(self, resources: Resources, preferences: PreferencesRepository) -> None:
        self._outbox = resources.outbox
        self._preferences = preferences

    async def get(self, user: ObjectId, session: Session | None = None) -> Preferences:
        """The person's preferences."""
        return _known(await self._preferences.get(user, session) or {})

    async def replace(self, user: ObjectId, wanted: Preferences) -> Preferences:
        """Stores them in place of all that were there; emits `preferences.changed` when other letters are wanted."""
        await self._outbox.transaction(lambda session: self._store(user, wanted, session))
        return wanted

    async def unsubscribe(self, event: Document, session: Session) -> None:
        """Switches the letters off that a person wants no more, from `user.unsubscribed`, and leaves the rest as it is.
        Raises pydantic.ValidationError for a kind that is not known here."""
        user, letter = ObjectId(event["aggregateId"]), event["data"]["letter"]
        former = (await self.get(user, session)).model_dump(by_alias=True)
        mail = {**former["mail"], letter: False}
        await self._store(user, Preferences.model_validate({**former, "mail": mail}), session)

    async def _store(self, user: ObjectId, wanted: Preferences, session: Session) -> None:
        former = await self.get(user, session)
        await self._preferences.replace(user, wanted.model_dump(by_alias=True), session)
        if wanted.mail != former.mail:
            changed = PreferencesChanged(user=str(user), mail=wanted.mail.model_dump(by_alias=True))
            await self._outbox.add_event(session, user, changed)


def _known(stored: Document) -> Preferences:
    """What is stored may be of another version: fields that are new have their defaults, former ones are ignored."""
    plain = Preferences().model_dump(by_alias=True)
    for name, default in plain.items():
        value = stored.get(name, default)
        plain[name] = {key: value.get(key, default[key]) for key in default} if isinstance(default, dict) else value
    return Preferences.model_validate(plain)
