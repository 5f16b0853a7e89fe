"""Promises of letters: what they look like, and what becomes of them when the mail server does not do its part."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiosmtpd.smtp import SMTP, Envelope
from bson import ObjectId
from pydantic import SecretStr, ValidationError

from auth_service.container import AuthContainer
from auth_service.letters.kinds import KINDS, LINK_LIVES, LetterKind
from auth_service.letters.parts import open_sender
from auth_service.letters.sender import LetterSender
from auth_service.letters.smtp import MailOutageError, MailRefusedError
from auth_service.letters.writing import Writer
from auth_service.settings import AuthSettings
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database

TOKEN = "665f1c2e9b1d8a0012345678.abc"
#: Does what the worker does, with another mail server.
Via = Callable[[str], LetterSender]


class MailServer:
    """A real SMTP server that answers as the test wants."""

    def __init__(self) -> None:
        self.letters: list[bytes] = []
        self.to_recipient = self.to_data = "250 OK"
        self.accepted = asyncio.Event()

    async def handle_RCPT(self, _: Any, __: Any, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _: Any, __: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.to_data.startswith("250"):
            self.letters.append(bytes(envelope.original_content or b""))
        return self.to_data


@asynccontextmanager
async def listening(server: MailServer) -> AsyncIterator[str]:
    """Its URL."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: SMTP(server, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    async with listener:
        yield f"smtp://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@pytest.fixture
def via(container: AuthContainer, settings: AuthSettings) -> Via:
    """Makes what sends letters by a server."""
    return lambda url: open_sender(container.resources, settings.model_copy(update={"smtp_url": SecretStr(url)}))


@pytest.fixture
async def letter(database: Database, signed_up: dict[str, Any]) -> ObjectId:
    """One that waits: that of a registration."""
    (waiting,) = await database.letters.find().to_list()
    return ObjectId(waiting["_id"])


async def record(database: Database, letter: ObjectId) -> Document:
    found = await database.letters.find_one({"_id": letter})
    assert found is not None
    return found


def written(kind: LetterKind, settings: AuthSettings, **data: Any) -> Any:
    facts = {"at": utc_now(), "address": "203.0.113.7", "userAgent": "a browser", "fullName": "Ada Lovelace"}
    due = {"total": 1, "questions": ["What is a closure?"]}
    letter = {"_id": ObjectId(), "to": "ada@example.com", "data": {**facts, **due, **data}}
    return Writer(settings).message(kind, letter, TOKEN if kind in LINK_LIVES else None)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_the_same_in_plain_text_and_in_html(kind: LetterKind, settings: AuthSettings) -> None:
    letter = written(kind, settings)
    assert letter["Subject"]
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["From"] == settings.mail_from
    for part in ("plain", "html"):
        text = letter.get_body((part,)).get_content()
        assert "{{" not in text
        assert (f"#token={TOKEN}" in text) == (kind in LINK_LIVES)
        assert settings.app_url in text
    assert "<" not in letter.get_body(("plain",)).get_content()
    assert letter.get_body(("html",)).get_content().count("<html") == 1


HOSTILE = [
    "<script>alert(1)</script>",
    "Ada\r\nBcc: victim@example.com",
    "{{ app_url.__class__ }}",
    "Win a prize at https://evil.example/now",
    "www.evil.example",
    "\u202eevil",
    'Ada" onload="x',
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_and_no_code_no_header_and_no_link(name: str, settings: AuthSettings) -> None:
    letter = written("verify-email", settings, fullName=name)
    assert set(letter.keys()) == set(written("verify-email", settings).keys())
    page = letter.get_body(("html",)).get_content()
    for piece in ("<script>alert", "evil", 'onload="x', "victim@", "__class__"):
        assert piece not in page
    assert letter["Bcc"] is None


def test_a_program_that_a_log_in_names_is_text_too(settings: AuthSettings) -> None:
    page = written("new-device", settings, userAgent="<img src=x>").get_body(("html",)).get_content()
    assert "<img" not in page
    assert "&lt;img src=x&gt;" in page


async def test_a_letter_that_is_sent_twice_is_one_to_a_mail_program(
    database: Database, via: Via, letter: ObjectId
) -> None:
    server = MailServer()
    async with listening(server) as url:
        await via(url).run(letter)
        await database.letters.update_one({"_id": letter}, {"$set": {"status": "queued"}})  # the worker died before
        await via(url).run(letter)
        await via(url).run(letter)
    assert len(server.letters) == 2
    names = {line for text in server.letters for line in text.splitlines() if line.lower().startswith(b"message-id")}
    assert len(names) == 1
    assert (await record(database, letter))["wasSent"] is True


async def test_while_the_mail_server_is_down_a_letter_waits_and_no_attempt_is_used_up(
    database: Database, via: Via, letter: ObjectId
) -> None:
    for _ in range(4):
        with pytest.raises(MailOutageError):
            await via("smtp://127.0.0.1:1").run(letter)
    waiting = await record(database, letter)
    assert (waiting["status"], waiting["attempt"], waiting["excused"]) == ("queued", 4, 4)
    server = MailServer()
    async with listening(server) as url:
        await via(url).run(letter)
    assert len(server.letters) == 1
    assert (await record(database, letter))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("answers", "error", "status"),
    [
        ({"to_recipient": "550 no such user"}, None, "failed"),
        ({"to_data": "554 we take no such letters"}, None, "failed"),
        ({"to_recipient": "450 the mailbox is busy"}, MailOutageError, "queued"),
        ({"to_data": "451 later, please"}, MailOutageError, "queued"),
    ],
)
async def test_a_refusal_for_good_ends_the_letter_and_one_for_now_does_not(
    database: Database,
    via: Via,
    letter: ObjectId,
    signed_up: dict[str, Any],
    answers: dict[str, str],
    error: type[Exception] | None,
    status: str,
) -> None:
    server = MailServer()
    vars(server).update(answers)
    async with listening(server) as url:
        if error:
            with pytest.raises(error) as raised:
                await via(url).run(letter)
            assert signed_up["user"]["email"] not in str(raised.value)
        else:
            await via(url).run(letter)
    assert server.letters == []
    assert (await record(database, letter))["status"] == status


async def test_a_server_without_tls_gets_nothing_when_tls_is_wanted(
    database: Database, via: Via, letter: ObjectId
) -> None:
    server = MailServer()
    async with listening(server) as url:
        with pytest.raises((MailRefusedError, MailOutageError)):
            await via(url.replace("smtp://", "smtp+starttls://ada:secret@")).run(letter)
    assert server.letters == []
    assert (await record(database, letter))["status"] == "queued"


async def test_a_letter_of_an_account_that_is_gone_is_not_sent(database: Database, via: Via, letter: ObjectId) -> None:
    await database.accounts.delete_many({})
    server = MailServer()
    async with listening(server) as url:
        await via(url).run(letter)
    ended = await record(database, letter)
    assert (server.letters, ended["status"], ended["wasSent"], ended["to"]) == ([], "succeeded", False, None)


async def test_no_request_waits_for_the_mail_server(
    start: Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]],
    new_registration: Callable[[], dict[str, Any]],
) -> None:
    client, _ = await start(SMTP_URL="smtp://127.0.0.1:1")
    answer = await client.post("/api/v1/auth/register", json=new_registration())
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("smtp_url", "http://mail.example"),
        ("smtp_url", "smtp://"),
        ("smtp_url", "smtp://mail.example:70000"),
        ("smtp_url", "smtp://ada:secret@mail.example"),
        ("smtp_url", "smtps://mail.example/path"),
        ("mail_from", "nobody"),
        ("mail_from", "InterVAI <a@example.com>\r\nBcc: b@example.com"),
        ("app_url", "javascript:alert(1)"),
        ("app_url", "https://app.example/#here"),
    ],
)
def test_wrong_settings_of_mail_stop_the_start_and_show_nothing(own_database: str, field: str, value: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        AuthSettings(**{field: value})
    (error,) = wrong.value.errors()
    assert error["loc"] == (field,)
    assert "secret" not in error["msg"]


@pytest.mark.parametrize(
    "url", ["smtp://localhost", "smtp+starttls://ada:s%40cret@mail.example:587", "smtps://ada:secret@mail.example"]
)
def test_the_ways_to_a_mail_server(own_database: str, url: str) -> None:
    assert AuthSettings(smtp_url=SecretStr(url)).smtp_url.get_secret_value() == url
