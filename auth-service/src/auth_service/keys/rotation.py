"""The rules of rotation: when the next key is made, how a leaked one is stopped, when an old one is forgotten."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.keys import lives
from auth_service.keys.repository import KeyRepository
from auth_service.keys.sealing import KeySeal, signs_from
from intervai_shared.auth.revocations import Revocations
from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.logs import log
from intervai_shared.models import Document
from intervai_shared.mongo import Mongo, Session, to_be_retried

DAY_SECONDS = 86_400
#: Seconds for which a key that was revoked stays in the list.
KEEP_SECONDS = 7 * DAY_SECONDS
SCHEDULE = Caller("", "schedule")


@dataclass(frozen=True)
class KeyState:
    """A key as an operator sees it. `state`: `waiting` (published, signs later), `signing`, `ending` (published, signs
    no more), `over`, `revoked`. `signs_from`: epoch seconds."""

    kid: str
    number: int
    signs_from: float
    state: str = "revoked"


class KeyRotation:
    """`rotation_days`: for how long a key signs before the next one is made."""

    def __init__(
        self,
        keys: KeyRepository,
        seal: KeySeal,
        mongo: Mongo,
        audit: AuditLog,
        revocations: Revocations,
        rotation_days: int,
    ) -> None:
        self._keys = keys
        self._seal = seal
        self._mongo = mongo
        self._audit = audit
        self._revocations = revocations
        self._rotation_seconds = rotation_days * DAY_SECONDS

    async def states(self) -> list[KeyState]:
        """All keys that are kept, the newest first."""
        return _states(await self._keys.all(), time.time())

    async def rotate_when_due(self) -> str | None:
        """Makes the next key when the newest one has signed for long enough, and answers its kid. Idempotent: whoever
        comes second, or at the same moment, finds the next key there and makes none. Forgets old keys besides."""
        await self._forget_old()
        return await self._mongo.transaction(self._next_when_due)

    async def rotate(self, caller: Caller) -> str:
        """Makes the next key, and answers its kid. It signs once it is known everywhere."""

        async def effect(session: Session) -> str:
            return await self._make(await self._keys.all(session), lives.ADVANCE_SECONDS, caller, session)

        return await self._mongo.transaction(effect)

    async def revoke(self, kid: str, caller: Caller) -> str | None:
        """Stops a leaked key: it signs and is published no more, and no service takes a token of it. If it signs now, a
        new key does so at once; answers the kid of that one.

        Raises:
            NotFoundError: there is no such key.
            ConflictError: it has been revoked before; all processes have been told so once more.
            redis.RedisError: the services could not be told. They notice when they fetch the keys again; try again.
        """
        made = await self._mongo.transaction(lambda session: self._revoke(kid, caller, session))
        await self._revocations.publish_key(kid)
        if made is None:
            raise ConflictError(f"The key {kid} has been revoked before.")
        return made or None

    async def _revoke(self, kid: str, caller: Caller, session: Session) -> str | None:
        """The kid of the new key; empty when none was needed; None when the key had been revoked before."""
        kept = await self._keys.all(session)
        state = {key.kid: key.state for key in _states(kept, time.time())}.get(kid)
        if state is None:
            raise NotFoundError(f"There is no key {kid}.")
        if not await self._keys.revoke(kid, datetime.fromtimestamp(time.time(), UTC), session):
            return None
        await self._audit.record("key.revoked", caller, None, session=session, kid=kid)
        log.warning("signing key revoked", kid=kid)
        if state != "signing":
            return ""
        return await self._make(kept, -lives.SKEW_SECONDS, caller, session)

    async def _next_when_due(self, session: Session) -> str | None:
        kept = await self._keys.all(session)
        newest = max(signs_from(key) for key in kept if not key.get("revokedAt"))
        if time.time() - newest < self._rotation_seconds:
            return None
        return await self._make(kept, lives.ADVANCE_SECONDS, SCHEDULE, session)

    async def _make(self, kept: list[Document], ahead: float, caller: Caller, session: Session) -> str:
        """The key after those that are kept; signs `ahead` seconds from now. Tried again with the transaction when
        another process has just made it."""
        now = time.time()
        made = self._seal.new(kept[0]["number"] + 1, now, now + ahead)
        try:
            await self._keys.insert(made, session)
        except DuplicateKeyError as error:
            raise to_be_retried(error) from error
        await self._audit.record("key.made", caller, None, session=session, kid=made["_id"])
        log.info("signing key made", kid=made["_id"], signsFrom=made["signsFrom"].isoformat())
        return str(made["_id"])

    async def _forget_old(self) -> None:
        now, kept = time.time(), await self._keys.all()
        for key, state in zip(kept, _states(kept, now), strict=True):
            revoked_at = key.get("revokedAt")
            if state.state == "over" or (revoked_at and revoked_at.timestamp() + KEEP_SECONDS < now):
                await self._keys.delete(key["_id"])
                log.info("signing key forgotten", kid=key["_id"])


def _states(stored: list[Document], now: float) -> list[KeyState]:
    found = [KeyState(key["_id"], key["number"], signs_from(key)) for key in stored]
    usable = [key for key, document in zip(found, stored, strict=True) if not document.get("revokedAt")]
    current = lives.signing(usable, now)
    published = lives.published(usable, now)

    def state(key: KeyState) -> str:
        if key not in usable:
            return "revoked"
        if key not in published:
            return "over"
        if key is current:
            return "signing"
        return "ending" if key.number < current.number else "waiting"

    return [KeyState(key.kid, key.number, key.signs_from, state(key)) for key in found]
