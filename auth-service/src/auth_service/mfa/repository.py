"""The second factor of accounts in Mongo: `mfa` of an account is
`{pending: {sealed, expiresAt}, totp: {sealed, confirmedAt, lastStep}, recoveryCodes: [hash]}`.

What may happen once is decided by the filter of its write."""

from bson import ObjectId

from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Session

_ON: Document = {"mfa.totp": {"$exists": True}}
_OFF: Document = {"mfa.totp": {"$exists": False}}


class MfaRepository:
    """Every write answers whether it took place."""

    def __init__(self, db: Database) -> None:
        self._accounts = db.accounts

    async def set_pending(self, account: ObjectId, pending: Document) -> bool:
        """A secret that waits for its first code; not when there is a confirmed one."""
        return await self._change(account, _OFF, {"$set": {"mfa.pending": pending, "updatedAt": utc_now()}})

    async def confirm(self, account: ObjectId, sealed: bytes, mfa: Document, session: Session) -> bool:
        """Switches the second factor on, if this secret is the one that waits."""
        change = {"$set": {"mfa": mfa, "updatedAt": utc_now()}}
        return await self._change(account, {**_OFF, "mfa.pending.sealed": sealed}, change, session)

    async def remove(self, account: ObjectId, session: Session) -> bool:
        """Switches it off."""
        return await self._change(account, _ON, {"$unset": {"mfa": ""}, "$set": {"updatedAt": utc_now()}}, session)

    async def set_recovery_codes(self, account: ObjectId, hashes: list[str], session: Session) -> bool:
        """Other recovery codes; the old ones are void."""
        change = {"$set": {"mfa.recoveryCodes": hashes, "updatedAt": utc_now()}}
        return await self._change(account, _ON, change, session)

    async def use_step(self, account: ObjectId, sealed: bytes, step: int) -> bool:
        """Uses up the code of a time step, with those of all earlier ones (RFC 6238, section 5.2). Of parallel uses one
        takes place."""
        unused = {"mfa.totp.sealed": sealed, "mfa.totp.lastStep": {"$lt": step}}
        return await self._change(account, unused, {"$set": {"mfa.totp.lastStep": step}})

    async def use_recovery_code(self, account: ObjectId, code_hash: str) -> bool:
        """Uses up a recovery code. Of parallel uses one takes place."""
        unused = {**_ON, "mfa.recoveryCodes": code_hash}
        return await self._change(account, unused, {"$pull": {"mfa.recoveryCodes": code_hash}})

    async def _change(
        self, account: ObjectId, state: Document, change: Document, session: Session | None = None
    ) -> bool:
        changed = await self._accounts.update_one({"_id": account, **state}, change, session=session)
        return changed.modified_count == 1
