"""The rules of letters: one is written in the transaction of its cause, and its token is good once."""

from collections.abc import Mapping
from typing import Any

from bson import ObjectId

from auth_service.letters.kinds import NEWEST_ONLY, LetterKind
from auth_service.letters.repository import LetterRepository
from auth_service.letters.tokens import LetterTokens
from intervai_shared.errors import BadRequestError
from intervai_shared.jobs import JobRecords
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session

QUEUE = "letters"
ACTOR = "send_letter"


class LinkVoidError(BadRequestError):
    """Wrong, used, expired, made void by a newer one: the answer does not say which."""

    def __init__(self) -> None:
        super().__init__("This link is not good, or not any more. Please ask for a new letter.")


class Letters:
    """Posts letters, and takes in the tokens of their links."""

    def __init__(self, letters: LetterRepository, tokens: LetterTokens, outbox: Outbox) -> None:
        self._letters = letters
        self._tokens = tokens
        self._outbox = outbox

    async def post(self, session: Session, kind: LetterKind, user: ObjectId | None, to: str, **data: Any) -> None:
        """Has a letter sent when the transaction is committed; use `Outbox.transaction`, which wakes the relay.

        `user`: whose account it is about. None: `to` is what somebody typed; the worker looks up whether it has an
        account, and sends nothing if not. `data` is what the template shows besides: no secret, since it is stored.
        """
        letter = JobRecords.new(kind, user, to=to, data=data, usedAt=None, expiresAt=None)
        await self._letters.insert(letter, session)
        await self._outbox.add_job(session, ACTOR, QUEUE, str(letter["_id"]))

    async def post_once(self, session: Session, kind: LetterKind, people: Mapping[ObjectId, ObjectId]) -> int:
        """Has a letter of one kind sent to many people, by the ids that their letters shall have; who has that letter
        already gets no other. How many are new. The address is the one that a person has when the letter is sent. They
        let the letters that somebody waits for go first.
        """
        made = [JobRecords.new(kind, user, to=None, data={}, usedAt=None, expiresAt=None) for user in people.values()]
        letters = [{**letter, "_id": given} for letter, given in zip(made, people, strict=True)]
        new = await self._letters.insert_new(letters, session) if letters else []
        for each in new:
            await self._outbox.add_job(session, ACTOR, QUEUE, str(each), bulk=True)
        return len(new)

    async def open(self, token: str, *kinds: LetterKind) -> Document:
        """The letter `{user, to, kind, …}` of a token that could be used now. Raises LinkVoidError."""
        letter_id = self._tokens.id_in(token)
        letter = await self._letters.by_id(letter_id) if letter_id else None
        if letter is None or letter["kind"] not in kinds or letter["user"] is None or not _is_good(letter):
            raise LinkVoidError
        if letter["kind"] in NEWEST_ONLY and await self._letters.has_newer(letter):
            raise LinkVoidError
        return letter

    async def use(self, letter: Document, session: Session) -> None:
        """Spends the token of an opened letter in the transaction of what it allows. Raises LinkVoidError."""
        if not await self._letters.use(letter, session):
            raise LinkVoidError

    async def void(self, user: ObjectId, kind: LetterKind, session: Session) -> None:
        """Makes the links of a person's letters of one kind void."""
        await self._letters.void(user, kind, session)


def _is_good(letter: Document) -> bool:
    return letter["usedAt"] is None and letter["expiresAt"] is not None and letter["expiresAt"] > utc_now()
