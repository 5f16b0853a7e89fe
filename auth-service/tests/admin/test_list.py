"""Promises of the admin routes: who gets in, what they see, and that it is on record."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId
from pymongo.asynchronous.collection import AsyncCollection

from auth_service.admin.roles import AdminRoles
from auth_service.admin.schemas import NEWEST_FIRST
from auth_service.caller import Caller
from auth_service.container import AuthContainer
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database

USERS = "/api/v1/auth/admin/users"
LOGIN = "/api/v1/auth/login"
PASSWORD = "correct horse battery"
Register = Callable[..., Awaitable[dict[str, Any]]]


def with_token(client: httpx.AsyncClient, token: str) -> httpx.AsyncClient:
    """Another client of the same application."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=client._transport, base_url="http://test", headers=headers)


def old_token(container: AuthContainer, tokens: dict[str, Any], *roles: str) -> str:
    """A token of the same session whose owner has shown who they are an hour ago."""
    claims = jwt.decode(tokens["accessToken"], options={"verify_signature": False})
    return container.sessions._issuer.for_user(
        ObjectId(claims["sub"]), claims["sid"], list(roles), int(time.time()) - 3600
    )


def login_of(account: dict[str, Any]) -> dict[str, str]:
    return {"email": account["user"]["email"], "password": PASSWORD}


async def listed(admin: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await admin.get(USERS, params=query)
    assert answer.status_code == 200, answer.text
    return [account["email"] for account in answer.json()["items"]]


async def test_only_administrators_get_in_and_nothing_is_found_out_by_others(
    auth: httpx.AsyncClient, register: Register
) -> None:
    someone, other = await register(), await register()
    client = with_token(auth, someone["accessToken"])
    for user_id in (other["user"]["id"], "665f1c2e9b1d8a0012345678"):
        asked = [("GET", ""), ("GET", f"/{user_id}"), ("GET", f"/{user_id}/audit")]
        asked += [("POST", f"/{user_id}/{act}") for act in ("lock", "unlock", "logout")]
        for method, path in asked:
            answer = await client.request(method, USERS + path, json={"reason": "x"} if method == "POST" else None)
            assert (answer.status_code, answer.json()["detail"]) == (403, "This is for administrators only.")
    assert (await client.post(LOGIN, json=login_of(other))).status_code == 200


async def test_the_list_pages_through_all_accounts_the_newest_first(
    admin: httpx.AsyncClient, register: Register
) -> None:
    made = [(await register())["user"]["email"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        page = (await admin.get(USERS, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [account["email"] for account in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == [*reversed(made), "boss@example.com"]


async def test_the_list_is_narrowed_by_status_role_and_the_beginning_of_the_e_mail(
    admin: httpx.AsyncClient, register: Register
) -> None:
    accounts = {name: await register(f"{name}@example.com") for name in ("ada", "adam", "bob", "a.a", "a%a")}
    await admin.post(f"{USERS}/{accounts['adam']['user']['id']}/lock", json={"reason": "spam"})
    assert await listed(admin, status="locked") == ["adam@example.com"]
    assert "adam@example.com" not in await listed(admin, status="active")
    assert len(await listed(admin, status="active")) == 5
    assert await listed(admin, role="admin") == ["boss@example.com"]
    assert sorted(await listed(admin, q="ADA")) == ["ada@example.com", "adam@example.com"]
    assert await listed(admin, q="ada", status="active") == ["ada@example.com"]
    assert await listed(admin, q="a.a") == ["a.a@example.com"]
    assert await listed(admin, q="a%") == ["a%a@example.com"]
    assert await listed(admin, q=".*") == await listed(admin, q="$gt") == await listed(admin, q="^a") == []
    assert await listed(admin, q="da@") == []


@pytest.mark.parametrize(
    "query", [{"status": "deleted"}, {"role": "root"}, {"q": ""}, {"q": "x" * 255}, {"cursor": "e30"}, {"limit": 0}]
)
async def test_a_query_that_makes_no_sense_is_refused(admin: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await admin.get(USERS, params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"query.{next(iter(query))}"


async def test_one_account_is_shown_with_its_sessions_counted_its_last_entries_and_no_secret(
    admin: httpx.AsyncClient, auth: httpx.AsyncClient, register: Register
) -> None:
    someone = await register()
    for _ in range(2):
        await auth.post(LOGIN, json=login_of(someone))
    shown = (await admin.get(f"{USERS}/{someone['user']['id']}")).json()
    assert shown["openSessions"] == 3
    assert [entry["event"] for entry in shown["audit"]] == ["login", "login", "account.registered"]
    assert {name for name in shown if name not in {"openSessions", "audit"}} == {
        *("id", "email", "emailVerifiedAt", "roles", "fullName", "createdAt", "updatedAt"),
        *("lockedAt", "lockedBy", "lockReason"),
    }
    page = (await admin.get(f"{USERS}/{someone['user']['id']}/audit", params={"limit": 2})).json()
    assert page["items"] == shown["audit"][:2]
    assert page["nextCursor"]


async def test_an_account_that_is_not_there_is_not_found(admin: httpx.AsyncClient) -> None:
    nobody = f"{USERS}/{ObjectId()}"
    answers = [await admin.get(nobody), await admin.get(f"{nobody}/audit")]
    answers += [await admin.post(f"{nobody}/{act}", json={"reason": "x"}) for act in ("lock", "unlock", "logout")]
    assert {answer.status_code for answer in answers} == {404}
    assert (await admin.get(f"{USERS}/me")).status_code == 422


async def test_an_administrator_cannot_lock_their_own_account(admin: httpx.AsyncClient, boss: dict[str, Any]) -> None:
    answer = await admin.post(f"{USERS}/{boss['user']['id']}/lock", json={"reason": "x"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "You cannot lock your own account.")
    assert (await admin.get(USERS)).status_code == 200


async def test_what_administrators_do_is_on_record_with_who_did_it(
    admin: httpx.AsyncClient, boss: dict[str, Any], register: Register
) -> None:
    someone = await register()
    path = f"{USERS}/{someone['user']['id']}"
    await admin.post(f"{path}/logout")
    await admin.post(f"{path}/lock", json={"reason": "spam"})
    await admin.post(f"{path}/unlock")
    entries = (await admin.get(f"{path}/audit")).json()["items"][:3]
    assert [entry["event"] for entry in entries] == ["account.unlocked", "account.locked", "logout-all"]
    assert {entry["by"] for entry in entries} == {boss["user"]["id"]}
    assert entries[1]["details"] == {"reason": "spam"}


async def test_a_change_asks_an_administrator_to_show_again_who_they_are(
    auth: httpx.AsyncClient, container: AuthContainer, boss: dict[str, Any], register: Register
) -> None:
    someone = await register()
    admin = with_token(auth, old_token(container, boss, "user", "admin"))
    path = f"{USERS}/{someone['user']['id']}"
    assert (await admin.get(path)).status_code == 200
    for act in ("lock", "unlock", "logout"):
        answer = await admin.post(f"{path}/{act}", json={"reason": "x"})
        assert answer.status_code == 401
        assert "insufficient_user_authentication" in answer.headers["www-authenticate"]
    assert (await admin.get(path)).json()["lockedAt"] is None


async def test_a_role_that_is_taken_away_is_gone_from_tokens_that_are_out_and_from_the_next(
    admin: httpx.AsyncClient, auth: httpx.AsyncClient, boss: dict[str, Any], roles: AdminRoles
) -> None:
    assert await roles.revoke("Boss@Example.com", Caller("", "command line"))
    assert (await admin.get(USERS)).status_code == 401
    answer = await auth.post("/api/v1/auth/refresh", json={"refreshToken": boss["refreshToken"]})
    assert answer.status_code == 200  # still logged in, as a user
    claims = jwt.decode(answer.json()["accessToken"], options={"verify_signature": False})
    assert claims["roles"] == ["user"]


@pytest.mark.parametrize(
    ("query", "most_examined"),
    [({"status": "locked"}, 3), ({"role": "admin"}, 1), ({"q": "person-12"}, 11), ({"q": "person-12", "limit": 5}, 11)],
)
async def test_a_narrowed_list_reads_no_more_accounts_than_it_narrows_down_to(
    admin: httpx.AsyncClient, database: Database, query: dict[str, Any], most_examined: int
) -> None:
    now = utc_now()
    many = [
        {"email": f"person-{n}@example.com", "emailKey": f"person-{n}@example.com", "roles": ["user"]}
        | {"createdAt": now, "updatedAt": now, **({"lockedAt": now} if n % 100 == 0 else {})}
        for n in range(300)
    ]
    await database.accounts.insert_many(many)
    asked: list[Any] = []
    find = AsyncCollection.find

    def noted(self: AsyncCollection[Document], where: Any, *args: Any, **options: Any) -> Any:
        asked.append(where)
        return find(self, where, *args, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AsyncCollection, "find", noted)
        assert await listed(admin, **query)
    command = {"find": "accounts", "filter": asked[-1], "sort": dict(NEWEST_FIRST.sort), "limit": 20}
    plan = await database.command("explain", command, verbosity="executionStats")
    assert 0 < plan["executionStats"]["totalDocsExamined"] <= most_examined
