"""Promises of the step-up: what could cost somebody their account asks again who they are (RFC 9470)."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from auth_service.app import create_app
from auth_service.container import AuthContainer
from auth_service.keys.tokens import TokenIssuer
from auth_service.settings import AuthSettings
from intervai_shared.auth import dependencies
from intervai_shared.mongo import Database

PATH, TOTP = "/api/v1/auth/reauthenticate", "/api/v1/auth/mfa/totp"
ANY_ID = "665f1c2e9b1d8a0012345678"
#: Routes that must ask.
NEEDED = {
    "POST /api/v1/auth/mfa/totp/setup",
    "DELETE /api/v1/auth/mfa/totp",
    "POST /api/v1/auth/mfa/recovery-codes",
    "POST /api/v1/auth/email/change",
}

Tokens = Callable[[int], dict[str, str]]
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


def asks_again(dependant: Dependant) -> bool:
    return dependant.call is dependencies._recent_user or any(map(asks_again, dependant.dependencies))


def routes() -> list[tuple[str, str]]:
    """Method and path of every route that wants a recent user."""
    found = [
        (route.methods or set(), str(route.path))
        for route in iter_route_contexts(create_app().routes)
        if isinstance(route.original_route, APIRoute) and asks_again(route.original_route.dependant)
    ]
    return [(method, path) for methods, path in found for method in methods]


def auth_time(token: str) -> int:
    return int(jwt.decode(token, options={"verify_signature": False})["auth_time"])


@pytest.fixture
def aged(container: AuthContainer, settings: AuthSettings, signed_up: dict[str, Any]) -> Tokens:
    """Headers with a token of the session, as it is when its owner showed who they are so many seconds ago."""
    issuer = TokenIssuer(container.keys, settings)
    session = jwt.decode(signed_up["accessToken"], options={"verify_signature": False})["sid"]

    def token(age: int) -> dict[str, str]:
        made = issuer.for_user(ObjectId(signed_up["user"]["id"]), session, ["user", "admin"], int(time.time()) - age)
        return {"Authorization": f"Bearer {made}"}

    return token


def assert_challenged(answer: httpx.Response) -> None:
    assert answer.status_code == 401, answer.text
    challenge = answer.headers["www-authenticate"]
    assert challenge == 'Bearer error="insufficient_user_authentication", max_age="300"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("step-up-required")


async def audited(database: Database, user: str) -> list[tuple[str, str]]:
    found = await database.audit.find({"user": ObjectId(user), "event": "reauthenticated"}).sort("_id").to_list()
    return [(entry["result"], entry["details"]["how"]) for entry in found]


def test_what_could_cost_an_account_asks_again(settings: AuthSettings) -> None:
    assert {f"{method} {path}" for method, path in routes()} >= NEEDED


async def test_an_old_proof_gets_the_challenge_on_every_such_route(auth: httpx.AsyncClient, aged: Tokens) -> None:
    walked = routes()
    assert len(walked) >= len(NEEDED)
    for method, path in walked:
        assert_challenged(await auth.request(method, path.format_map(Ids()), headers=aged(301), json={}))


async def test_a_fresh_proof_opens_every_such_route(auth: httpx.AsyncClient, aged: Tokens) -> None:
    for method, path in routes():
        answer = await auth.request(method, path.format_map(Ids()), headers=aged(290), json={})
        assert "insufficient" not in answer.headers.get("www-authenticate", ""), (method, path)


async def test_the_password_gives_a_token_with_which_the_route_lets_one_in(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any], aged: Tokens, database: Database
) -> None:
    assert_challenged(await auth.post(f"{TOTP}/setup", headers=aged(400)))
    answer = await auth.post(PATH, json={"password": registration["password"]}, headers=aged(400))
    assert answer.status_code == 200
    assert set(answer.json()) == {"accessToken", "expiresIn", "tokenType"}
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()["accessToken"]
    assert time.time() - auth_time(token) < 60
    fresh = {"Authorization": f"Bearer {token}"}
    assert (await auth.post(f"{TOTP}/setup", headers=fresh)).status_code == 200
    assert await audited(database, signed_up["user"]["id"]) == [("success", "password")]


async def test_a_refresh_tells_when_the_session_last_showed_it(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any], aged: Tokens
) -> None:
    proven = await auth.post(PATH, json={"password": registration["password"]}, headers=aged(400))
    refreshed = await auth.post("/api/v1/auth/refresh", json={"refreshToken": signed_up["refreshToken"]})
    assert auth_time(refreshed.json()["accessToken"]) == auth_time(proven.json()["accessToken"])


async def test_a_wrong_password_gives_nothing(
    auth: httpx.AsyncClient, signed_up: dict[str, Any], aged: Tokens, database: Database
) -> None:
    answer = await auth.post(PATH, json={"password": "wrong horse battery"}, headers=aged(400))
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert "accessToken" not in answer.text
    assert await audited(database, signed_up["user"]["id"]) == [("failure", "password")]


async def test_wrong_passwords_are_counted_like_those_of_a_log_in(
    start: Start, registration: dict[str, Any], signed_up: dict[str, Any], aged: Tokens, own_address: dict[str, str]
) -> None:
    auth, _ = await start(RATE_LIMIT_SCALE="1", RATE_LIMIT_LOGIN="1000/hour", LOCKOUT_FIRST_SECONDS="60")
    auth.headers.update(own_address)
    for _ in range(5):
        answer = await auth.post(PATH, json={"password": "wrong horse battery"}, headers=aged(400))
        assert answer.status_code == 401
    right = {"password": registration["password"]}
    assert (await auth.post(PATH, json=right, headers=aged(400))).status_code == 429
    log_in = {"email": registration["email"], **right}
    assert (await auth.post("/api/v1/auth/login", json=log_in)).status_code == 429


async def test_with_a_second_factor_a_password_is_not_enough(
    auth: httpx.AsyncClient, protected: Any, aged: Tokens, database: Database
) -> None:
    for password in (protected.credentials["password"], "wrong horse battery"):
        answer = await auth.post(PATH, json={"password": password}, headers=aged(400))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "password")
    assert await audited(database, str(protected.id)) == []


async def test_with_a_second_factor_one_of_its_codes_is_enough_once(
    auth: httpx.AsyncClient, protected: Any, aged: Tokens, database: Database
) -> None:
    for proof in ({"code": protected.device.code()}, {"recoveryCode": protected.recovery_codes[0]}):
        answer = await auth.post(PATH, json=proof, headers=aged(400))
        assert answer.status_code == 200
        again = await auth.post(PATH, json=proof, headers=aged(400))
        assert again.status_code == 401
    fresh = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
    assert (await auth.delete(TOTP, headers=fresh)).status_code == 204
    expected = [(result, how) for how in ("totp", "recovery-code") for result in ("success", "failure")]
    assert await audited(database, str(protected.id)) == expected


async def test_without_a_second_factor_a_code_is_no_proof(auth: httpx.AsyncClient, aged: Tokens) -> None:
    answer = await auth.post(PATH, json={"code": "123456"}, headers=aged(400))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "password")


async def test_a_session_that_has_ended_cannot_prove_itself(
    auth: httpx.AsyncClient,
    registration: dict[str, Any],
    signed_up: dict[str, Any],
    aged: Tokens,
    container: AuthContainer,
) -> None:
    session = jwt.decode(signed_up["accessToken"], options={"verify_signature": False})["sid"]
    await container.sessions._store.end(session)
    answer = await auth.post(PATH, json={"password": registration["password"]}, headers=aged(400))
    assert answer.status_code == 401


async def test_a_locked_account_cannot_prove_itself(
    auth: httpx.AsyncClient, registration: dict[str, Any], signed_up: dict[str, Any], aged: Tokens, database: Database
) -> None:
    await database.accounts.update_one({"_id": ObjectId(signed_up["user"]["id"])}, {"$set": {"lockedAt": "now"}})
    answer = await auth.post(PATH, json={"password": registration["password"]}, headers=aged(400))
    assert answer.status_code == 401


@pytest.mark.parametrize("proof", [{}, {"password": "a", "code": "123456"}, {"password": None}])
async def test_one_proof_is_needed(auth: httpx.AsyncClient, aged: Tokens, proof: dict[str, Any]) -> None:
    assert (await auth.post(PATH, json=proof, headers=aged(0))).status_code == 422


class Ids(dict[str, str]):
    """An id for every path parameter."""

    def __missing__(self, name: str) -> str:
        return ANY_ID
