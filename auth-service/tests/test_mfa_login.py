"""Promises of the log-in in two steps."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from bson import ObjectId
from redis.asyncio import Redis

from auth_service.container import AuthContainer
from intervai_shared.mongo import Database

LOGIN, VERIFY = "/api/v1/auth/login", "/api/v1/auth/mfa/totp/verify"
WRONG = "000000"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


async def begin(auth: httpx.AsyncClient, protected: Any, **fields: str) -> str:
    """The first step: the token of the second."""
    answer = await auth.post(LOGIN, json={**protected.credentials, **fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["mfaToken"])


async def finish(auth: httpx.AsyncClient, token: str, code: str, **headers: str) -> httpx.Response:
    return await auth.post(VERIFY, json={"mfaToken": token, "code": code}, headers=headers)


async def log_ins(database: Database, user: ObjectId) -> list[tuple[str, str]]:
    found = await database.audit.find({"user": user, "event": "login"}).sort("_id").to_list()
    return [(entry["result"], entry["details"]["how"]) for entry in found]


async def test_the_password_alone_gives_a_token_for_the_second_step_and_nothing_else(
    auth: httpx.AsyncClient, protected: Any, database: Database
) -> None:
    answer = await auth.post(LOGIN, json={**protected.credentials, "tokenMode": "cookie"})
    assert answer.status_code == 200
    assert set(answer.json()) == {"mfaRequired", "mfaToken", "expiresIn"}
    assert (answer.json()["mfaRequired"], answer.json()["expiresIn"]) == (True, 300)
    assert len(answer.json()["mfaToken"]) == 43  # 256 bits in base64url
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert await log_ins(database, protected.id) == []


async def test_the_code_finishes_the_log_in(auth: httpx.AsyncClient, protected: Any, database: Database) -> None:
    answer = await finish(auth, await begin(auth, protected), protected.device.code())
    assert answer.status_code == 200
    body = answer.json()
    assert body["user"]["id"] == str(protected.id)
    assert set(body) == {"user", "accessToken", "refreshToken", "tokenType", "expiresIn"}
    own = {"Authorization": f"Bearer {body['accessToken']}"}
    assert (await auth.get("/api/v1/auth/mfa", headers=own)).status_code == 200
    refreshed = await auth.post("/api/v1/auth/refresh", json={"refreshToken": body["refreshToken"]})
    assert refreshed.status_code == 200
    assert await log_ins(database, protected.id) == [("success", "totp")]


async def test_a_recovery_code_finishes_it_too(auth: httpx.AsyncClient, protected: Any, database: Database) -> None:
    proof = {"mfaToken": await begin(auth, protected), "recoveryCode": protected.recovery_codes[0]}
    assert (await auth.post(VERIFY, json=proof)).status_code == 200
    assert await log_ins(database, protected.id) == [("success", "recovery-code")]
    assert (await auth.get("/api/v1/auth/mfa", headers=protected.headers)).json()["recoveryCodesLeft"] == 9


async def test_the_refresh_token_goes_where_the_first_step_said(auth: httpx.AsyncClient, protected: Any) -> None:
    token = await begin(auth, protected, tokenMode="cookie")
    answer = await finish(auth, token, protected.device.code())
    assert "refreshToken" not in answer.json()
    assert answer.json()["csrfToken"]
    assert "HttpOnly" in answer.headers["set-cookie"]


async def test_a_log_in_is_finished_once(auth: httpx.AsyncClient, protected: Any) -> None:
    token = await begin(auth, protected)
    assert (await finish(auth, token, protected.device.code())).status_code == 200
    assert (await finish(auth, token, protected.device.next_code())).status_code == 401


async def test_of_parallel_finishes_with_different_codes_one_opens_a_session(
    auth: httpx.AsyncClient, protected: Any, container: AuthContainer
) -> None:
    before = len(await container.sessions._store.of_user(protected.id))
    token = await begin(auth, protected)
    proofs = [{"mfaToken": token, "recoveryCode": code} for code in protected.recovery_codes[:5]]
    answers = await asyncio.gather(*(auth.post(VERIFY, json=proof) for proof in proofs))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 4
    assert len(await container.sessions._store.of_user(protected.id)) == before + 1


async def test_after_five_wrong_codes_the_log_in_is_over(
    auth: httpx.AsyncClient, protected: Any, database: Database
) -> None:
    token = await begin(auth, protected)
    for _ in range(5):
        assert (await finish(auth, token, WRONG)).status_code == 401
    assert (await finish(auth, token, protected.device.code())).status_code == 401
    assert await log_ins(database, protected.id) == [("failure", "totp")] * 5
    assert (await finish(auth, await begin(auth, protected), protected.device.code())).status_code == 200


async def test_the_fifth_try_is_still_one(auth: httpx.AsyncClient, protected: Any) -> None:
    token = await begin(auth, protected)
    for _ in range(4):
        await finish(auth, token, WRONG)
    assert (await finish(auth, token, protected.device.code())).status_code == 200


async def test_parallel_guesses_are_no_more_than_five(
    auth: httpx.AsyncClient, protected: Any, database: Database
) -> None:
    token = await begin(auth, protected)
    answers = await asyncio.gather(*(finish(auth, token, WRONG) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {401}
    assert len(await log_ins(database, protected.id)) == 5


async def test_the_second_step_waits_five_minutes(auth: httpx.AsyncClient, protected: Any, redis: Redis) -> None:
    token = await begin(auth, protected)
    key = f"auth:mfa:{hashlib.sha256(token.encode()).hexdigest()}"
    assert 0 < await redis.pttl(key) <= 300_000
    protected.device.wait(299)
    assert (await finish(auth, token, WRONG)).status_code == 401
    assert await redis.exists(key)
    protected.device.wait(1)
    assert (await finish(auth, token, protected.device.code())).json()["detail"].startswith("This log-in is over")
    assert not await redis.exists(key)


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"lockedAt": "now"}},
        {"$inc": {"sessionsEpoch": 1}},  # password changed, or logged out everywhere
        {"$unset": {"mfa": ""}},
    ],
)
async def test_what_happened_to_the_account_meanwhile_counts(
    auth: httpx.AsyncClient, protected: Any, database: Database, change: dict[str, Any]
) -> None:
    token = await begin(auth, protected)
    await database.accounts.update_one({"_id": protected.id}, change)
    assert (await finish(auth, token, protected.device.code())).status_code == 401


async def test_an_account_that_is_gone_logs_nobody_in(
    auth: httpx.AsyncClient, protected: Any, database: Database
) -> None:
    token = await begin(auth, protected)
    await database.accounts.delete_one({"_id": protected.id})
    assert (await finish(auth, token, protected.device.code())).status_code == 401


async def test_a_locked_account_is_not_even_asked_for_a_code(
    auth: httpx.AsyncClient, protected: Any, database: Database
) -> None:
    await database.accounts.update_one({"_id": protected.id}, {"$set": {"lockedAt": "now"}})
    assert (await auth.post(LOGIN, json=protected.credentials)).status_code == 401


async def test_a_telephone_may_go_into_another_network_between_the_steps(
    auth: httpx.AsyncClient, protected: Any
) -> None:
    first = {"X-Forwarded-For": "203.0.113.7"}
    token = (await auth.post(LOGIN, json=protected.credentials, headers=first)).json()["mfaToken"]
    second = {"X-Forwarded-For": "2001:db8::7"}
    assert (await finish(auth, token, protected.device.code(), **second)).status_code == 200


async def test_a_browser_that_was_sent_by_another_site_is_refused(auth: httpx.AsyncClient, protected: Any) -> None:
    token = await begin(auth, protected)
    forged = await finish(auth, token, protected.device.code(), **{"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403
    assert (await finish(auth, token, protected.device.code())).status_code == 200


async def test_without_redis_the_second_step_says_try_again(start: Start) -> None:
    auth, _ = await start(REDIS_URL="redis://127.0.0.1:1/1")
    answer = await finish(auth, "x" * 43, WRONG)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= 1


async def test_the_api_page_tells_both_answers_of_a_log_in(auth: httpx.AsyncClient) -> None:
    document = (await auth.get("/internal/openapi.json")).json()
    answer = document["paths"][LOGIN]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert {option["$ref"].rpartition("/")[2] for option in answer["anyOf"]} == {"SignedIn", "MfaRequired"}


async def test_a_wrong_code_and_a_used_one_get_the_same_answer(auth: httpx.AsyncClient, protected: Any) -> None:
    code = protected.device.code()
    assert (await finish(auth, await begin(auth, protected), code)).status_code == 200
    token = await begin(auth, protected)
    answers = [await finish(auth, token, tried) for tried in (code, WRONG)]
    used = await auth.post(VERIFY, json={"mfaToken": token, "recoveryCode": "0000-0000-0000-0000"})
    problems = [{**answer.json(), "requestId": ""} for answer in (*answers, used)]
    assert problems[0] == problems[1] == problems[2]
    assert problems[0]["status"] == 401


@pytest.mark.parametrize("proof", [{}, {"code": "123456", "recoveryCode": "0000-0000-0000-0000"}, {"code": "12345"}])
async def test_one_proof_is_needed(auth: httpx.AsyncClient, protected: Any, proof: dict[str, str]) -> None:
    answer = await auth.post(VERIFY, json={"mfaToken": await begin(auth, protected), **proof})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_an_unknown_token_is_an_over_log_in(auth: httpx.AsyncClient) -> None:
    assert (await finish(auth, "x" * 43, WRONG)).status_code == 401
