"""Promises of the routes that confirm and change an e-mail address."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from auth_service.container import AuthContainer
from auth_service.letters.tokens import LetterTokens
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database

VERIFY, RESEND, CHANGE = (f"/api/v1/auth/email/{name}" for name in ("verify", "resend", "change"))
LOGIN, FORGOT, REGISTER = (f"/api/v1/auth/{name}" for name in ("login", "password/forgot", "register"))
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]
PostOffice = Any  # the class of conftest.py's fixture


def new_address() -> str:
    return f"{secrets.token_hex(8)}@example.com"


def assert_link_void(answer: httpx.Response) -> None:
    """The one answer to all tokens that are not good."""
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"] == "This link is not good, or not any more. Please ask for a new letter."


async def test_the_letter_of_a_registration_confirms_its_address(
    auth: httpx.AsyncClient, database: Database, signed_up: dict[str, Any], post_office: PostOffice
) -> None:
    email = signed_up["user"]["email"]
    answer = await auth.post(VERIFY, json={"token": await post_office.token(email)})
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"id", "email", "emailVerifiedAt", "roles", "createdAt", "updatedAt"}
    assert (answer.json()["id"], answer.json()["email"]) == (signed_up["user"]["id"], email)
    account = await database.accounts.find_one({"emailKey": email})
    assert account is not None
    assert account["emailVerifiedAt"] is not None
    assert await database.audit.count_documents({"event": "email.verified", "user": account["_id"]}) == 1


async def test_a_link_is_good_once(auth: httpx.AsyncClient, signed_up: dict[str, Any], post_office: PostOffice) -> None:
    token = await post_office.token(signed_up["user"]["email"])
    answers = await asyncio.gather(*(auth.post(VERIFY, json={"token": token}) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 9}
    assert_link_void(await auth.post(VERIFY, json={"token": token}))


async def test_no_other_token_is_good(
    auth: httpx.AsyncClient,
    database: Database,
    container: AuthContainer,
    signed_up: dict[str, Any],
    post_office: PostOffice,
) -> None:
    email = signed_up["user"]["email"]
    letter = await database.letters.find_one({"to": email})
    assert letter is not None
    unsent = container.letters._tokens.of(letter["_id"])
    assert_link_void(await auth.post(VERIFY, json={"token": unsent}))
    token = await post_office.token(email)
    assert token == unsent
    tokens = container.letters._tokens
    foreign = LetterTokens(secrets.token_bytes(32)).of(letter["_id"])
    changed = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for wrong in (foreign, changed, token.upper(), token[:-1], f"{token}=", tokens.of(ObjectId()), "x", "é.ü"):
        assert_link_void(await auth.post(VERIFY, json={"token": wrong}))
    await auth.post(FORGOT, json={"email": email})
    assert_link_void(await auth.post(VERIFY, json={"token": await post_office.token(email)}))
    assert (await auth.post(VERIFY, json={"token": token})).status_code == 200


async def test_a_link_ends_after_its_time(
    auth: httpx.AsyncClient, database: Database, signed_up: dict[str, Any], post_office: PostOffice
) -> None:
    token = await post_office.token(signed_up["user"]["email"])
    letter = await database.letters.find_one()
    assert letter is not None
    life = letter["expiresAt"] - letter["finishedAt"].replace(tzinfo=letter["expiresAt"].tzinfo)
    assert timedelta(hours=24) - timedelta(minutes=1) < life <= timedelta(hours=24)
    await database.letters.update_one({"_id": letter["_id"]}, {"$set": {"expiresAt": utc_now()}})
    assert_link_void(await auth.post(VERIFY, json={"token": token}))


async def test_another_letter_can_be_asked_for_until_the_address_is_confirmed(
    auth: httpx.AsyncClient, signed_up: dict[str, Any], post_office: PostOffice
) -> None:
    email = signed_up["user"]["email"]
    assert len(await post_office.to(email)) == 1
    assert (await auth.post(RESEND, json={"email": email.upper()})).status_code == 202
    assert (await auth.post(VERIFY, json={"token": await post_office.token(email)})).status_code == 200
    assert len(await post_office.to(email)) == 2
    assert (await auth.post(RESEND, json={"email": email})).status_code == 202
    assert len(await post_office.to(email)) == 2


@pytest.mark.parametrize("path", [RESEND, FORGOT])
async def test_an_unknown_address_gets_the_same_answer_no_letter_and_is_forgotten(
    auth: httpx.AsyncClient, database: Database, signed_up: dict[str, Any], post_office: PostOffice, path: str
) -> None:
    unknown = new_address()
    answers = [await auth.post(path, json={"email": email}) for email in (signed_up["user"]["email"], unknown)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert {*answers[0].headers} == {*answers[1].headers}
    assert await post_office.to(unknown) == []
    letters = await database.letters.find({"wasSent": False}).to_list()
    assert [(letter["status"], letter["to"]) for letter in letters] == [("succeeded", None)]
    assert unknown not in repr(
        [await database[name].find().to_list() for name in await database.list_collection_names()]
    )


async def test_a_new_address_takes_the_old_ones_place_once_it_is_confirmed(
    auth: httpx.AsyncClient,
    database: Database,
    registration: dict[str, Any],
    bearer: dict[str, str],
    post_office: PostOffice,
) -> None:
    old, new = registration["email"], f"X{new_address()}"
    unconfirmed = await post_office.token(old)
    assert (await auth.post(CHANGE, json={"newEmail": new}, headers=bearer)).status_code == 202
    token = await post_office.token(new)
    assert (await auth.post(LOGIN, json=registration_of(registration, old))).status_code == 200
    answer = await auth.post(VERIFY, json={"token": token})
    assert (answer.status_code, answer.json()["email"]) == (200, new), answer.text
    assert answer.json()["emailVerifiedAt"]
    assert (await auth.post(LOGIN, json=registration_of(registration, old))).status_code == 401
    assert (await auth.post(LOGIN, json=registration_of(registration, new.upper()))).status_code == 200
    event = await database.events.find_one({"type": "user.email-changed"})
    assert event is not None
    assert event["data"] == {"email": new}
    assert await database.audit.count_documents({"event": "email.changed", "result": "success"}) == 1
    assert [letter["Subject"] for letter in await post_office.to(old)][-1] == "Your e-mail address was changed"
    assert_link_void(await auth.post(VERIFY, json={"token": token}))
    assert_link_void(await auth.post(VERIFY, json={"token": unconfirmed}))


def registration_of(registration: dict[str, Any], email: str) -> dict[str, Any]:
    return {"email": email, "password": registration["password"]}


async def test_an_address_that_is_taken_meanwhile_is_refused_and_nothing_changes(
    auth: httpx.AsyncClient,
    database: Database,
    registration: dict[str, Any],
    bearer: dict[str, str],
    post_office: PostOffice,
) -> None:
    new = new_address()
    await auth.post(CHANGE, json={"newEmail": new}, headers=bearer)
    token = await post_office.token(new)
    assert (await auth.post(REGISTER, json=registration | {"email": new.upper()})).status_code == 201
    answer = await auth.post(VERIFY, json={"token": token})
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert await database.accounts.count_documents({"email": registration["email"]}) == 1
    assert await database.events.count_documents({"type": "user.email-changed"}) == 0


async def test_a_taken_address_is_told_to_its_owner_only(
    auth: httpx.AsyncClient,
    registration: dict[str, Any],
    new_registration: Callable[[], dict[str, Any]],
    bearer: dict[str, str],
    post_office: PostOffice,
) -> None:
    other = new_registration()
    await auth.post(REGISTER, json=other)
    asked = [  # the taken one last: of two changes only the newer one's letter is sent
        await auth.post(CHANGE, json={"newEmail": email}, headers=bearer) for email in (new_address(), other["email"])
    ]
    assert [answer.status_code for answer in asked] == [202, 202]
    assert asked[0].content == asked[1].content
    letter = (await post_office.to(other["email"]))[-1]
    assert letter["Subject"] == "You have an account already"
    assert "#token=" not in letter.as_string()


async def test_a_newer_change_makes_the_older_link_void(
    auth: httpx.AsyncClient, bearer: dict[str, str], post_office: PostOffice
) -> None:
    mistyped, right = new_address(), new_address()
    await auth.post(CHANGE, json={"newEmail": mistyped}, headers=bearer)
    token = await post_office.token(mistyped)
    await auth.post(CHANGE, json={"newEmail": right}, headers=bearer)
    assert_link_void(await auth.post(VERIFY, json={"token": token}))
    answer = await auth.post(VERIFY, json={"token": await post_office.token(right)})
    assert answer.json()["email"] == right


async def test_ones_own_address_is_no_new_one(
    auth: httpx.AsyncClient, registration: dict[str, Any], bearer: dict[str, str]
) -> None:
    answer = await auth.post(CHANGE, json={"newEmail": registration["email"].upper()}, headers=bearer)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "newEmail"


async def test_changing_the_address_asks_again_who_one_is(
    auth: httpx.AsyncClient, container: AuthContainer, signed_up: dict[str, Any]
) -> None:
    user = ObjectId(signed_up["user"]["id"])
    stale = container.sessions._issuer.for_user(user, secrets.token_urlsafe(16), ["user"], authenticated_at=1)
    headers = {"Authorization": f"Bearer {stale}"}
    answer = await auth.post(CHANGE, json={"newEmail": new_address()}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:intervai:problem:step-up-required")


@pytest.mark.parametrize("path", [RESEND, FORGOT])
async def test_letters_that_people_ask_for_are_limited_for_an_address_of_mail_and_of_the_net(
    start: Start, path: str
) -> None:
    client, _ = await start(RATE_LIMIT_SCALE="1")
    email, address = new_address(), {"X-Forwarded-For": f"2001:db8::{secrets.token_hex(2)}"}
    for spelling in (email, email.upper(), email, email, email):
        headers = {"X-Forwarded-For": f"2001:db8::{secrets.token_hex(2)}:1"}
        assert (await client.post(path, json={"email": spelling}, headers=headers)).status_code == 202
    refused = await client.post(path, json={"email": email})
    assert (refused.status_code, refused.headers["ratelimit-limit"]) == (429, "5")
    for _ in range(5):
        assert (await client.post(path, json={"email": new_address()}, headers=address)).status_code == 202
    assert (await client.post(path, json={"email": new_address()}, headers=address)).status_code == 429
