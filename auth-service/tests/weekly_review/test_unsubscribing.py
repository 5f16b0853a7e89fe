"""The weekly letter ends by one click in a mail program, as RFC 8058 has it, and for nobody but its reader."""

import base64
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from bson import ObjectId
from pydantic import ValidationError

from auth_service.container import AuthContainer
from auth_service.letters.parts import open_sender
from auth_service.letters.tokens import LetterTokens
from auth_service.letters.writing import Writer
from auth_service.settings import AuthSettings
from auth_service.weekly_review.service import WeeklyReviews, letter_id
from auth_service.weekly_review.unsubscribing import PATH, Unsubscribing
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database

#: The header that a mail program sends, and its body.
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE_CLICK = b"List-Unsubscribe=One-Click"
WEEK = "2026-W49"


@pytest.fixture
def token(container: AuthContainer, settings: AuthSettings, subscriber: ObjectId) -> str:
    """That of the letters of the one who has signed up."""
    return master_tokens(settings, b"unsubscribe-token").of(subscriber)


def master_tokens(settings: AuthSettings, purpose: bytes) -> LetterTokens:
    return LetterTokens(base64.urlsafe_b64decode(settings.key_encryption_key.get_secret_value()), purpose)


async def click(auth: httpx.AsyncClient, token: str) -> int:
    return (await auth.post(f"{PATH}/{token}", content=ONE_CLICK, headers=FORM)).status_code


async def wants(database: Database, user: ObjectId) -> bool:
    account = await database.accounts.find_one({"_id": user})
    assert account is not None
    return bool(account["mail"]["weeklyReview"])


async def test_one_click_ends_the_letters_and_tells_user_service_once(
    auth: httpx.AsyncClient,
    database: Database,
    subscriber: ObjectId,
    token: str,
    posting: Callable[..., WeeklyReviews],
) -> None:
    mail = {"newDevice": True, "weeklyReview": True, "sequence": 7}
    await database.accounts.update_one({"_id": subscriber}, {"$set": {"mail": mail}})
    for _ in range(2):
        assert await click(auth, token) == 204
    events = await database.events.find({"type": "user.unsubscribed"}).to_list()
    assert [(event["aggregateId"], event["data"]) for event in events] == [(subscriber, {"letter": "weeklyReview"})]
    account = await database.accounts.find_one({"_id": subscriber})
    assert account is not None
    assert account["mail"] == mail | {"weeklyReview": False}
    await posting().post(WEEK)
    assert await database.letters.count_documents({}) == 0


async def test_to_open_the_link_leads_to_the_preferences_and_changes_nothing(
    auth: httpx.AsyncClient, database: Database, subscriber: ObjectId, token: str, settings: AuthSettings
) -> None:
    answer = await auth.get(f"{PATH}/{token}")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{settings.app_url}/preferences")
    assert await wants(database, subscriber)


async def test_no_other_token_ends_them(
    auth: httpx.AsyncClient, database: Database, subscriber: ObjectId, token: str, settings: AuthSettings
) -> None:
    foreign = LetterTokens(secrets.token_bytes(32), b"unsubscribe-token").of(subscriber)
    of_a_letter = master_tokens(settings, b"letter-token").of(subscriber)
    of_another = f"{ObjectId()}.{token.partition('.')[2]}"
    for wrong in (foreign, of_a_letter, of_another, token[:-1], str(subscriber), "x", "\N{SNOWMAN}"):
        assert await click(auth, wrong) == 404
        assert (await auth.get(f"{PATH}/{quote(wrong)}")).status_code == 404
    assert await wants(database, subscriber)
    assert await database.events.count_documents({"type": "user.unsubscribed"}) == 0


async def test_a_click_after_the_account_was_erased_is_no_error(
    auth: httpx.AsyncClient, database: Database, token: str
) -> None:
    await database.accounts.delete_many({})
    assert await click(auth, token) == 204
    assert await database.events.count_documents({"type": "user.unsubscribed"}) == 0


async def test_the_letter_carries_the_link_that_works_in_the_headers_of_rfc_8058(
    auth: httpx.AsyncClient,
    container: AuthContainer,
    database: Database,
    settings: AuthSettings,
    subscriber: ObjectId,
    posting: Callable[..., WeeklyReviews],
    have_due: Callable[..., Awaitable[None]],
    post_office: Any,
    signed_up: dict[str, Any],
) -> None:
    known = settings.model_copy(update={"api_url": "https://api.example.com/behind/a/rather/long/path/of/a/proxy/"})
    await have_due("What is a closure?")
    await posting().post(WEEK)
    await open_sender(container.resources, known).run(letter_id(subscriber, WEEK))
    (letter,) = await post_office.to(signed_up["user"]["email"])
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    begin, path, token = letter["List-Unsubscribe"].removesuffix(">").partition(PATH + "/")
    assert (begin, path) == ("<https://api.example.com/behind/a/rather/long/path/of/a/proxy", PATH + "/")
    assert await click(auth, token) == 204
    assert not await wants(database, subscriber)


def test_the_header_is_one_line_that_is_not_encoded_however_long(settings: AuthSettings) -> None:
    url = f"https://api.example.com/{'x' * 300}"
    data = {"total": 1, "questions": ["Why?"], "unsubscribe": url}
    letter = Writer(settings).message("weekly-review", {"_id": ObjectId(), "to": "ada@example.com", "data": data}, None)
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in bytes(letter)


def test_without_the_public_address_there_is_no_header(container: AuthContainer, settings: AuthSettings) -> None:
    unsubscribing: Any = Unsubscribing
    assert unsubscribing(None, None, bytes(32), settings.model_copy(update={"api_url": ""})).link(ObjectId()) is None
    data = {"total": 1, "questions": ["Why?"], "unsubscribe": None, "at": utc_now()}
    letter = Writer(settings).message("weekly-review", {"_id": ObjectId(), "to": "ada@example.com", "data": data}, None)
    assert [name for name in letter if name.lower().startswith("list-")] == []


@pytest.mark.parametrize(
    "url", ["http://api.example.com", "api.example.com", "https://", "https://a.example/?x", "https://a b"]
)
def test_an_address_that_rfc_8058_does_not_take_stops_the_start(own_database: str, url: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        AuthSettings(api_url=url)
    assert [error["loc"] for error in wrong.value.errors()] == [("api_url",)]
