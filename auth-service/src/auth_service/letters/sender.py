"""Sends letters: the job of the worker. Whether there is anybody to send one to is found out here, and not while the
request waits: so a request shows by no answer and by no time who has an account."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bson import ObjectId

from auth_service.accounts.repository import AccountRepository
from auth_service.accounts.service import email_key
from auth_service.letters.kinds import LINK_LIVES, NEWEST_ONLY, LetterKind
from auth_service.letters.repository import LetterRepository
from auth_service.letters.smtp import Mailer
from auth_service.letters.tokens import LetterTokens
from auth_service.letters.writing import Writer, wire_address
from intervai_shared.jobs import JobRecords, JobRun
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Mongo

#: What a letter shows that is looked up when it is sent, by account; None: then none is sent.
Content = Callable[[Document], Awaitable[Document | None]]


class LetterSender:
    """Does the jobs of `Letters.post`. `contents`: of the kinds that have more to show than was stored with them."""

    def __init__(
        self,
        mongo: Mongo,
        records: JobRecords,
        letters: LetterRepository,
        accounts: AccountRepository,
        tokens: LetterTokens,
        writer: Writer,
        mailer: Mailer,
        contents: Mapping[LetterKind, Content],
    ) -> None:
        self._mongo = mongo
        self._records = records
        self._letters = letters
        self._accounts = accounts
        self._tokens = tokens
        self._writer = writer
        self._mailer = mailer
        self._contents = contents

    async def run(self, letter_id: ObjectId) -> None:
        """Sends a letter. A second time is a no-op, but for a worker that died between the mail server's yes and our
        note of it: then the same letter goes out again, under the same Message-ID.

        Raises:
            MailOutageError: to be tried again, for half an hour without counting.
            MailRefusedError: the operator has to look.
            UnavailableError: a service that is asked for the content cannot answer; to be tried again likewise.
        """
        await self._records.run(letter_id, self._send)

    async def _send(self, run: JobRun) -> Document:
        letter = await self._addressed(run.document)
        wanted = await self._filled(letter) if letter is not None and await self._is_wanted(letter) else None
        if wanted is not None:
            await self._write_out(run, wanted)
        # An address that somebody typed and that has no account is none of our business any more.
        fields: dict[str, Any] = {"to": letter["to"] if letter is not None else None}
        await self._mongo.transaction(lambda session: run.succeed(session, wasSent=wanted is not None, **fields))
        return {}

    async def _addressed(self, letter: Document) -> Document | None:
        """The letter with its account and the address as the account has it: one that only looks like it, by a rule of
        Unicode that our mail server knows and we do not, must get nobody's token. None: there is no account."""
        if letter["user"] is not None:
            account = await self._accounts.by_id(letter["user"])
            return {**letter, "to": letter["to"] or account["email"], "account": account} if account else None
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

    async def _filled(self, letter: Document) -> Document | None:
        """The letter with all that it shows."""
        look_up = self._contents.get(letter["kind"])
        if look_up is None:
            return letter
        content = await look_up(letter["account"])
        return None if content is None else {**letter, "data": {**letter["data"], **content}}

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
