"""Attacks on log-in sessions, through the gateway: reuse, fixation, forgery from another site, tokens that outlive."""

import asyncio
import statistics
import time
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from intervai_shared.testing import NewPerson, Person

AUTH = "/api/v1/auth"
PASSWORD = "correct horse battery"
#: One route of each service that needs no more than a good token.
EVERYWHERE = ("/api/v1/auth/sessions", "/api/v1/users/me", "/api/v1/sessions", "/api/v1/exports")
REFRESH, CSRF = "__Secure-intervai_refresh", "intervai_csrf"


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


async def refresh(gateway: httpx.AsyncClient, tokens: dict[str, Any]) -> httpx.Response:
    return await gateway.post(f"{AUTH}/refresh", json={"refreshToken": tokens["refreshToken"]})


async def sign_in(gateway: httpx.AsyncClient, person: Person, **fields: Any) -> httpx.Response:
    answer = await gateway.post(f"{AUTH}/login", json={"email": person.email, "password": PASSWORD, **fields})
    assert answer.status_code == 200, answer.text
    gateway.cookies.clear()
    return answer


async def seconds_until_refused(gateway: httpx.AsyncClient, tokens: dict[str, Any]) -> float:
    """By every service. The process that ends a session knows at once, the others by the feed of revocations."""
    started = time.monotonic()
    for path in EVERYWHERE:
        while (await gateway.get(path, headers=bearer(tokens))).status_code != 401:
            assert time.monotonic() - started < 15, f"{path} still lets the token in"
            await asyncio.sleep(0.005)
    return time.monotonic() - started


async def test_a_stolen_refresh_token_that_is_used_again_ends_the_family_everywhere(
    gateway: httpx.AsyncClient, person: Person
) -> None:
    second = (await refresh(gateway, person.tokens)).json()
    third = (await refresh(gateway, second)).json()
    assert (await gateway.get("/api/v1/users/me", headers=bearer(third))).status_code == 200
    assert (await refresh(gateway, person.tokens)).status_code == 401  # the thief's
    await seconds_until_refused(gateway, third)
    assert (await refresh(gateway, third)).status_code == 401


async def test_fifty_racing_refreshes_of_an_honest_person_end_nothing(
    gateway: httpx.AsyncClient, person: Person
) -> None:
    answers = await asyncio.gather(*(refresh(gateway, person.tokens) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1
    successor = answers[0].json()
    assert (await gateway.get("/api/v1/users/me", headers=bearer(successor))).status_code == 200
    assert (await refresh(gateway, successor)).status_code == 200


@pytest.mark.parametrize("way", ["logout", "logout-all", "revoke"])
async def test_an_ended_session_is_refused_by_every_service_within_a_second(
    gateway: httpx.AsyncClient, person: Person, way: str
) -> None:
    took = []
    for _ in range(5):  # the median, so that one hiccup of the machine does not count
        tokens = (await sign_in(gateway, person)).json()
        for path in EVERYWHERE:
            assert (await gateway.get(path, headers=bearer(tokens))).status_code == 200
        if way == "revoke":
            listed = (await gateway.get(f"{AUTH}/sessions", headers=bearer(tokens))).json()["items"]
            current = next(session["id"] for session in listed if session["isCurrent"])
            answer = await gateway.delete(f"{AUTH}/sessions/{current}", headers=bearer(tokens))
        else:
            answer = await gateway.post(f"{AUTH}/{way}", headers=bearer(tokens))
        assert answer.status_code == 204
        took.append(await seconds_until_refused(gateway, tokens))
        assert (await refresh(gateway, tokens)).status_code == 401
    assert statistics.median(took) < 1.0, took


async def test_a_changed_password_ends_the_other_sessions_within_a_second(
    gateway: httpx.AsyncClient, person: Person
) -> None:
    elsewhere = (await sign_in(gateway, person)).json()
    body = {"currentPassword": PASSWORD, "newPassword": "another horse battery"}
    assert (await person.http.post(f"{AUTH}/password/change", json=body)).status_code == 204
    assert await seconds_until_refused(gateway, elsewhere) < 5
    assert (await refresh(gateway, elsewhere)).status_code == 401
    assert (await person.http.get("/api/v1/users/me")).status_code == 200
    assert (await refresh(gateway, person.tokens)).status_code == 200
    old = await gateway.post(f"{AUTH}/login", json={"email": person.email, "password": PASSWORD})
    assert old.status_code == 401


async def test_the_tokens_of_a_deleted_user_are_refused_everywhere_and_no_log_in_works(
    gateway: httpx.AsyncClient, new_person: NewPerson
) -> None:
    """auth-service hears of it by event, so for a moment a refresh may still work: what it gave must end too."""
    person = await new_person()
    assert (await person.http.get("/api/v1/users/me")).status_code == 200
    assert (await person.http.delete("/api/v1/users/me")).status_code == 202
    await seconds_until_refused(gateway, person.tokens)
    tokens = [person.tokens]
    async with asyncio.timeout(30):
        while (answer := await refresh(gateway, tokens[-1])).status_code == 200:
            tokens.append(answer.json())
    for pair in tokens:
        await seconds_until_refused(gateway, pair)
    login = {"email": person.email, "password": PASSWORD}
    async with asyncio.timeout(30):
        while (await gateway.post(f"{AUTH}/login", json=login)).status_code != 401:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_session_that_an_attacker_planted_is_not_the_one_that_the_victim_gets(
    gateway: httpx.AsyncClient, person: Person, new_person: NewPerson
) -> None:
    attacker = await new_person()
    planted = attacker.tokens["refreshToken"]
    headers = {"Cookie": f"{REFRESH}={planted}; {CSRF}=x", "X-Session-Id": planted.partition(".")[0]}
    body = {"email": person.email, "password": PASSWORD, "tokenMode": "cookie"}
    answer = await gateway.post(f"{AUTH}/login", json=body, headers=headers)
    assert answer.status_code == 200
    gateway.cookies.clear()
    given = cookies_of(answer)[REFRESH]
    assert given.partition(".")[0] != planted.partition(".")[0]
    listed = (await attacker.http.get(f"{AUTH}/sessions")).json()["items"]
    assert len(listed) == 1  # the victim's session is not among the attacker's


async def test_a_cookie_alone_refreshes_nothing(gateway: httpx.AsyncClient, person: Person) -> None:
    cookies = cookies_of(await sign_in(gateway, person, tokenMode="cookie"))
    cookie = {"Cookie": f"{REFRESH}={cookies[REFRESH]}; {CSRF}={cookies[CSRF]}"}
    proof = {"X-CSRF-Token": cookies[CSRF]}
    forged = [
        cookie,
        {**cookie, "X-CSRF-Token": "guessed"},
        {**cookie, **proof, "Sec-Fetch-Site": "cross-site"},
        {**cookie, "Content-Type": "text/plain"},
    ]
    for headers in forged:
        assert (await gateway.post(f"{AUTH}/refresh", headers=headers)).status_code == 403, headers
    honest = await gateway.post(f"{AUTH}/refresh", headers={**cookie, **proof})
    assert honest.status_code == 200
    assert "refreshToken" not in honest.json()


async def test_no_route_but_refresh_takes_the_cookie_for_a_token(gateway: httpx.AsyncClient, person: Person) -> None:
    cookies = cookies_of(await sign_in(gateway, person, tokenMode="cookie"))
    headers = {"Cookie": f"{REFRESH}={cookies[REFRESH]}", "X-CSRF-Token": cookies[CSRF]}
    for path in EVERYWHERE:
        assert (await gateway.get(path, headers=headers)).status_code == 401
    assert (await gateway.post(f"{AUTH}/logout", headers=headers)).status_code == 401


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    jar = SimpleCookie[str]()
    for header in answer.headers.get_list("set-cookie"):
        jar.load(header)
    return {name: morsel.value for name, morsel in jar.items()}
