"""Promises of `POST /api/v1/auth/register`."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId

from auth_service.container import AuthContainer
from auth_service.sessions.store import LoginSession
from intervai_shared.mongo import Database

PATH = "/api/v1/auth/register"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


async def test_the_answer_holds_the_account_and_its_tokens(
    auth: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    answer = await auth.post(PATH, json=registration)
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"user", "accessToken", "refreshToken", "tokenType", "expiresIn"}
    assert body["tokenType"] == "Bearer"
    assert body["expiresIn"] == 600
    user = body["user"]
    assert set(user) == {"id", "email", "fullName", "roles", "createdAt", "updatedAt"}
    assert ObjectId.is_valid(user["id"])
    assert (user["email"], user["fullName"], user["roles"]) == (registration["email"], "Ada Lovelace", ["user"])


async def test_the_access_token_says_who_for_whom_and_how_long(
    auth: httpx.AsyncClient, signed_up: dict[str, Any]
) -> None:
    keys = jwt.PyJWKSet.from_dict((await auth.get("/.well-known/jwks.json")).json())
    head = jwt.get_unverified_header(signed_up["accessToken"])
    assert (head["alg"], head["typ"]) == ("EdDSA", "JWT")
    claims = jwt.decode(
        signed_up["accessToken"],
        keys[head["kid"]],
        algorithms=["EdDSA"],
        audience="intervai",
        issuer="https://intervai.example",
    )
    assert claims["sub"] == signed_up["user"]["id"]
    assert claims["exp"] - claims["iat"] == signed_up["expiresIn"]
    assert set(claims) == {"sub", "sid", "roles", "scope", "iss", "aud", "iat", "exp", "jti", "auth_time"}


async def test_only_an_argon2id_hash_of_the_password_is_stored(
    database: Database, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    account = await database.accounts.find_one()
    assert account is not None
    assert str(account["_id"]) == signed_up["user"]["id"]
    assert account["passwordHash"].startswith("$argon2id$v=19$")
    everything = [await database[name].find().to_list() for name in await database.list_collection_names()]
    assert registration["password"] not in repr(everything)


async def test_no_character_of_a_password_is_trimmed_away(
    auth: httpx.AsyncClient, registration: dict[str, Any]
) -> None:
    await auth.post(PATH, json=registration | {"password": "  with spaces  "})
    login = {"email": registration["email"], "password": "with spaces"}
    assert (await auth.post("/api/v1/auth/login", json=login)).status_code == 401
    login["password"] = "  with spaces  "
    assert (await auth.post("/api/v1/auth/login", json=login)).status_code == 200


async def test_the_event_waits_in_the_outbox(database: Database, signed_up: dict[str, Any]) -> None:
    message = await database.outbox.find_one()
    assert message is not None
    assert (message["state"], message["name"]) == ("pending", "user.registered")
    event = message["args"][0]
    assert event["aggregateId"] == signed_up["user"]["id"]
    assert event["data"] == {"email": signed_up["user"]["email"], "fullName": "Ada Lovelace"}
    assert await database.events.count_documents({"_id": ObjectId(event["id"])}) == 1


@pytest.mark.spoils_database
async def test_an_account_whose_event_cannot_be_written_is_not_stored(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any]
) -> None:
    await database.events.insert_one({"type": "user.registered"})
    await database.events.create_index("type", unique=True)
    assert (await auth.post(PATH, json=registration)).is_error
    assert await database.accounts.count_documents({}) == 0
    assert await database.outbox.count_documents({}) == 0


async def test_one_address_has_one_account_whatever_the_case(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    answer = await auth.post(PATH, json=registration | {"email": registration["email"].upper()})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("first", "second"),
    [("x@straße.de", "x@xn--strae-oqa.de"), ("x@BÜCHER.example.com", "x@bücher.example.com"), ("É@a.com", "é@a.com")],
)
async def test_two_spellings_of_one_address_have_one_account(
    auth: httpx.AsyncClient, registration: dict[str, Any], first: str, second: str
) -> None:
    statuses = [(await auth.post(PATH, json=registration | {"email": email})).status_code for email in (first, second)]
    assert statuses == [201, 409]


@pytest.mark.parametrize(("first", "second"), [("x@faß.de", "x@fass.de"), ("maß@a.com", "mass@a.com")])
async def test_different_addresses_have_different_accounts(
    auth: httpx.AsyncClient, registration: dict[str, Any], first: str, second: str
) -> None:
    statuses = [(await auth.post(PATH, json=registration | {"email": email})).status_code for email in (first, second)]
    assert statuses == [201, 201]


async def test_of_many_registrations_at_once_exactly_one_wins(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any]
) -> None:
    spellings = [registration["email"], registration["email"].upper(), registration["email"].title()] * 5
    answers = await asyncio.gather(
        *(auth.post(PATH, json=registration | {"email": spelling}) for spelling in spellings)
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 14}
    for collection in ("accounts", "events", "letters"):
        assert await database[collection].count_documents({}) == 1
    assert await database.outbox.count_documents({}) == 2  # the event and the letter


async def test_a_registration_that_loses_leaves_no_login_session(
    auth: httpx.AsyncClient,
    container: AuthContainer,
    registration: dict[str, Any],
    signed_up: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sessions = container.accounts._sessions
    opened: list[LoginSession] = []
    really_open = sessions.open

    async def remember(*args: Any) -> LoginSession:
        opened.append(await really_open(*args))
        return opened[-1]

    monkeypatch.setattr(sessions, "open", remember)
    assert (await auth.post(PATH, json=registration)).status_code == 409
    assert await container.resources.redis.exists(*(f"auth:session:{session.id}" for session in opened)) == 0


async def test_without_redis_nothing_is_stored_and_the_same_request_works_later(
    start: Start, auth: httpx.AsyncClient, database: Database, registration: dict[str, Any]
) -> None:
    without_redis, _ = await start(REDIS_URL="redis://127.0.0.1:1/1")
    answer = await without_redis.post(PATH, json=registration)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert await database.accounts.count_documents({}) == 0
    assert (await auth.post(PATH, json=registration)).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no-address"),
        ("email", {"$gt": ""}),
        ("email", "x@" + "a." * 130 + "com"),
        ("password", "7 chars"),
        ("password", "x" * 129),
        ("password", "password123"),
        ("password", "Jennifer"),
        ("password", "zzzzzzzzzzzz"),
        ("password", None),
        ("fullName", "   "),
        ("fullName", "x" * 121),
        ("fullName", "NUL \x00"),
        ("roles", ["admin"]),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_stored(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any], field: str, value: Any
) -> None:
    answer = await auth.post(PATH, json=registration | {field: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await database.accounts.count_documents({}) == 0
