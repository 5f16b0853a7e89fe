"""Sends letters: the job of the worker. Whether there is anybody to send one to is found out here, and not while the
request waits: so a request shows by no answer and by no time who has an account."""

from typing import Any

from bson import ObjectId

from auth_service.accounts.repository import AccountRepository
from auth_service.accounts.service import email_key
from auth_service.letters.kinds import LINK_LIVES, NEWEST_ONLY
from auth_service.letters.repository import LetterRepository
from auth_service.letters.smtp import Mailer
from auth_service.letters.tokens import LetterTokens
from auth_service.letters.writing import Writer, wire_address
from intervai_shared.jobs import JobRecords, JobRun
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo


class LetterSender:
    """Does the jobs of `Letters.post`."""

    def __init__(
        self,
        mongo: Mongo,
        records: JobRecords,
        letters: LetterRepository,
        accounts: AccountRepository,
        tokens: LetterTokens,
        writer: Writer,
        mailer: Mailer,
    ) -> None:
        self._mongo = mongo
        self._records = records
        self._letters = letters
        self._accounts = accounts
        self._tokens = tokens
        self._writer = writer
        self._mailer = mailer

    async def run(self, letter_id: ObjectId) -> None:
        """Sends a letter. A second time is a no-op, but for a worker that died between the mail server's yes and our
        note of it: then the same letter goes out again, under the same Message-ID.

        Raises:
            MailOutageError: to be tried again, for half an hour without counting.
            MailRefusedError: the operator has to look.
        """
        await self._records.run(letter_id, self._send)

    async def _send(self, run: JobRun) -> Document:
        letter = await self._addressed(run.document)
        sent = letter is not None and await self._is_wanted(letter)
        if letter is not None and sent:
            await self._write_out(run, letter)
        # An address that somebody typed and that has no account is none of our business any more.
        fields: dict[str, Any] = {} if letter is not None else {"to": None}
        await self._mongo.transaction(lambda session: run.succeed(session, wasSent=sent, **fields))
        return {}

    async def _addressed(self, letter: Document) -> Document | None:
        """The letter with its account and the address as the account has it: one that only looks like it, by a rule of
        Unicode that our mail server knows and we do not, must get nobody's token. None: there is no account."""
        if letter["user"] is not None:
            account = await self._accounts.by_id(letter["user"])
            return {**letter, "account": account} if account else None
        account = await self._accounts.by_email_key(email_key(letter["to"]))
        if account is None:
            return None
        return {**letter, "user": account["_id"], "to": account["email"], "account": account}

    async def _is_wanted(self, letter: Document) -> bool:
        account, kind = letter["account"], letter["kind"]
        if kind == "verify-email":
            return account["emailVerifiedAt"] is None and account["email"] == letter["to"]
        if kind == "reset-password" and account.get("lockedAt"):
            return False
        return kind not in NEWEST_ONLY or not await self._letters.has_newer(letter)

    async def _write_out(self, run: JobRun, letter: Document) -> None:
        kind, token = letter["kind"], None
        if kind == "change-email" and (taken := await self._accounts.by_email_key(email_key(letter["to"]))):
            kind, letter = "already-registered", {**letter, "to": taken["email"]}
        if life := LINK_LIVES.get(kind):
            token = self._tokens.of(run.id)
            good = {"user": letter["user"], "to": letter["to"], "expiresAt": utc_now() + life}
            await self._records.write(run, good)
        message = self._writer.message(kind, letter, token)
        await self._mailer.deliver(message, self._writer.sender, wire_address(letter["to"]))
