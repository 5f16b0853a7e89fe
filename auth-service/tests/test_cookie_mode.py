"""Promises of cookie mode: no script sees the refresh token, and no foreign page can use it."""

from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest

AUTH = "/api/v1/auth"
REFRESH, CSRF = "__Secure-intervai_refresh", "intervai_csrf"


def cookies_of(answer: httpx.Response) -> dict[str, Morsel[str]]:
    jar = SimpleCookie[str]()
    for header in answer.headers.get_list("set-cookie"):
        jar.load(header)
    return dict(jar)


@pytest.fixture
async def browser(auth: httpx.AsyncClient, registration: dict[str, Any]) -> httpx.Response:
    """The answer to a registration in cookie mode."""
    answer = await auth.post(f"{AUTH}/register", json=registration | {"tokenMode": "cookie"})
    assert answer.status_code == 201, answer.text
    auth.cookies.clear()
    return answer


async def refresh(
    client: httpx.AsyncClient, browser: httpx.Response, csrf: str | None = "", **headers: str
) -> httpx.Response:
    """As a page of ours does it; `csrf`: another token, or None for no header."""
    cookies = cookies_of(browser)
    headers["Cookie"] = f"{REFRESH}={cookies[REFRESH].value}; {CSRF}={cookies[CSRF].value}"
    if csrf is not None:
        headers["X-CSRF-Token"] = csrf or cookies[CSRF].value
    return await client.post(f"{AUTH}/refresh", headers=headers)


async def test_the_body_holds_no_refresh_token_and_the_cookie_no_script_can_read(browser: httpx.Response) -> None:
    assert "refreshToken" not in browser.json()
    cookie = cookies_of(browser)[REFRESH]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert (cookie["samesite"].lower(), cookie["path"]) == ("strict", "/api/v1/auth")
    assert cookie.value not in browser.text
    assert browser.headers["cache-control"] == "no-store"


async def test_the_token_against_cross_site_requests_is_readable_and_in_the_body(browser: httpx.Response) -> None:
    cookie = cookies_of(browser)[CSRF]
    assert not cookie["httponly"]
    assert cookie["secure"]
    assert (cookie["samesite"].lower(), cookie["path"]) == ("strict", "/")
    assert cookie.value == browser.json()["csrfToken"]


async def test_a_refresh_by_cookie_goes_on_in_the_cookie(auth: httpx.AsyncClient, browser: httpx.Response) -> None:
    answer = await refresh(auth, browser)
    assert answer.status_code == 200, answer.text
    assert "refreshToken" not in answer.json()
    before, after = cookies_of(browser), cookies_of(answer)
    assert after[REFRESH].value != before[REFRESH].value
    assert after[CSRF].value == before[CSRF].value  # another tab still holds it
    assert (await refresh(auth, answer)).status_code == 200


@pytest.mark.parametrize("csrf", [None, "guessed", "x" * 43])
async def test_without_the_right_header_the_cookie_is_worth_nothing_and_is_not_spent(
    auth: httpx.AsyncClient, browser: httpx.Response, csrf: str | None
) -> None:
    answer = await refresh(auth, browser, csrf)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert cookies_of(answer) == {}
    assert (await refresh(auth, browser)).status_code == 200


async def test_the_csrf_token_of_another_session_does_not_do(
    auth: httpx.AsyncClient, browser: httpx.Response, registration: dict[str, Any]
) -> None:
    login = {"email": registration["email"], "password": registration["password"], "tokenMode": "cookie"}
    thief = await auth.post(f"{AUTH}/login", json=login)
    auth.cookies.clear()
    assert (await refresh(auth, browser, thief.json()["csrfToken"])).status_code == 403


async def test_what_a_browser_says_comes_from_another_site_is_refused(
    auth: httpx.AsyncClient, browser: httpx.Response, registration: dict[str, Any]
) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await refresh(auth, browser, "", **foreign)).status_code == 403
    login = {"email": registration["email"], "password": registration["password"], "tokenMode": "cookie"}
    assert (await auth.post(f"{AUTH}/login", json=login, headers=foreign)).status_code == 403
    assert (await refresh(auth, browser, "", **{"Sec-Fetch-Site": "same-origin"})).status_code == 200


async def test_a_form_of_another_site_cannot_log_anybody_in(
    auth: httpx.AsyncClient, registration: dict[str, Any], browser: httpx.Response
) -> None:
    body = f'{{"email": "{registration["email"]}", "password": "{registration["password"]}", "tokenMode": "cookie"}}'
    for media_type in ("text/plain", "application/x-www-form-urlencoded"):  # what a form can send without a preflight
        answer = await auth.post(f"{AUTH}/login", content=body, headers={"Content-Type": media_type})
        assert answer.status_code == 422
        assert cookies_of(answer) == {}


async def test_a_token_in_the_body_stays_in_the_body(
    auth: httpx.AsyncClient, registration: dict[str, Any], browser: httpx.Response
) -> None:
    login = {"email": registration["email"], "password": registration["password"]}
    tokens = (await auth.post(f"{AUTH}/login", json=login)).json()
    answer = await auth.post(f"{AUTH}/refresh", json={"refreshToken": tokens["refreshToken"]})
    assert answer.json()["refreshToken"]
    assert cookies_of(answer) == {}


async def test_log_out_has_the_browser_forget_both(auth: httpx.AsyncClient, browser: httpx.Response) -> None:
    headers = {"Authorization": f"Bearer {browser.json()['accessToken']}"}
    gone = cookies_of(await auth.post(f"{AUTH}/logout", headers=headers))
    assert {name: (cookie.value, cookie["max-age"]) for name, cookie in gone.items()} == {
        REFRESH: ("", "0"),
        CSRF: ("", "0"),
    }
    assert gone[REFRESH]["path"] == "/api/v1/auth"
    assert (await refresh(auth, browser)).status_code == 401


async def test_a_log_in_never_goes_on_with_a_session_that_the_client_brought(
    auth: httpx.AsyncClient, browser: httpx.Response, registration: dict[str, Any]
) -> None:
    brought = cookies_of(browser)[REFRESH].value
    login = {"email": registration["email"], "password": registration["password"], "tokenMode": "cookie"}
    answer = await auth.post(f"{AUTH}/login", json=login, headers={"Cookie": f"{REFRESH}={brought}"})
    assert cookies_of(answer)[REFRESH].value.partition(".")[0] != brought.partition(".")[0]
