"""Promises of the audit log."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId

from intervai_shared.mongo import Database

AUTH = "/api/v1/auth"
HEADERS = {"User-Agent": "a browser", "X-Forwarded-For": "203.0.113.7"}


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['accessToken']}", **HEADERS}


async def entries(auth: httpx.AsyncClient, tokens: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    answer = await auth.get(f"{AUTH}/audit", headers=bearer(tokens), params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_the_owner_reads_what_happened_the_newest_first(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    login = {"email": registration["email"], "password": registration["password"]}
    await auth.post(f"{AUTH}/login", json=login | {"password": "wrong horse battery"}, headers=HEADERS)
    await auth.post(f"{AUTH}/login", json=login, headers=HEADERS)
    found = await entries(auth, signed_up)
    assert [(entry["event"], entry["result"]) for entry in found] == [
        ("login", "success"),
        ("login", "failure"),
        ("account.registered", "success"),
    ]
    assert (found[0]["address"], found[0]["userAgent"]) == ("203.0.113.7", "a browser")
    assert found[0]["details"] == {"how": "password"}


async def test_reuse_of_a_refresh_token_is_recorded(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    tokens = [signed_up]
    for _ in range(2):
        body = {"refreshToken": tokens[-1]["refreshToken"]}
        tokens.append((await auth.post(f"{AUTH}/refresh", json=body)).json())
    reused = {"refreshToken": signed_up["refreshToken"]}
    assert (await auth.post(f"{AUTH}/refresh", json=reused, headers=HEADERS)).status_code == 401
    login = {"email": registration["email"], "password": registration["password"]}
    again = (await auth.post(f"{AUTH}/login", json=login)).json()
    entry = (await entries(auth, again))[1]
    assert (entry["event"], entry["result"], entry["address"]) == ("session.reused", "failure", "203.0.113.7")


async def test_pages_follow_each_other_without_gaps(auth: httpx.AsyncClient, signed_up: dict[str, Any]) -> None:
    body, seen, cursor = {"refreshToken": "x"}, [], None
    for _ in range(4):
        await auth.delete(f"{AUTH}/sessions/{'a' * 22}", headers=bearer(signed_up))
    login = await auth.post(f"{AUTH}/refresh", json=body)
    assert login.status_code == 401
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        answer = (await auth.get(f"{AUTH}/audit", headers=bearer(signed_up), params=params)).json()
        seen += [entry["id"] for entry in answer["items"]]
        cursor = answer["nextCursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(await entries(auth, signed_up, limit=100))


async def test_nobody_reads_the_entries_of_another(
    auth: httpx.AsyncClient, new_registration: Callable[[], dict[str, Any]], signed_up: dict[str, Any]
) -> None:
    stranger = (await auth.post(f"{AUTH}/register", json=new_registration())).json()
    mine, theirs = await entries(auth, signed_up), await entries(auth, stranger)
    assert len(mine) == len(theirs) == 1
    assert mine[0]["id"] != theirs[0]["id"]


async def test_no_password_and_no_token_is_in_an_entry(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any], signed_up: dict[str, Any]
) -> None:
    tokens = (await auth.post(f"{AUTH}/refresh", json={"refreshToken": signed_up["refreshToken"]})).json()
    await auth.post(f"{AUTH}/logout-all", headers=bearer(tokens))
    stored = repr(await database.audit.find().to_list())
    secrets = [
        registration["password"],
        *(pair[kind] for pair in (signed_up, tokens) for kind in ("accessToken", "refreshToken")),
    ]
    assert not [secret for secret in secrets if secret in stored]


async def test_a_log_in_with_an_unknown_address_is_recorded_for_nobody(
    auth: httpx.AsyncClient, database: Database
) -> None:
    login = {"email": "nobody@example.com", "password": "wrong horse battery"}
    await auth.post(f"{AUTH}/login", json=login, headers=HEADERS)
    (entry,) = await database.audit.find().to_list()
    assert (entry["user"], entry["event"], entry["result"]) == (None, "login", "failure")
    assert "nobody@example.com" not in repr(entry)


@pytest.mark.parametrize("user_agent", ["x" * 5000, "two\x0blines", ""])
async def test_a_user_agent_is_cut_and_printable(
    auth: httpx.AsyncClient, database: Database, registration: dict[str, Any], user_agent: str
) -> None:
    await auth.post(f"{AUTH}/register", json=registration, headers={"User-Agent": user_agent})
    entry = await database.audit.find_one({"user": {"$ne": ObjectId()}})
    assert entry is not None
    assert len(entry["userAgent"]) <= 256
    assert entry["userAgent"] == "".join(character for character in user_agent if character.isprintable())[:256]
