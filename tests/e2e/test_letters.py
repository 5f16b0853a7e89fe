"""Letters, from the request to the mailbox: the suite's mail sink is the mailbox."""

import asyncio
import os
import re
import time
from email.message import EmailMessage
from pathlib import Path

import httpx

from intervai_shared.testing import Person, letters_to
from tests.privacy.search import log_files_with, places_of

AUTH = "/api/v1/auth"
OLD, NEW = "correct horse battery", "another horse battery"
PATIENCE_SECONDS = 60


async def letter_to(person: Person, subject: str) -> EmailMessage:
    """The letter with this subject, once it has come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = [letter for letter in mailbox(person) if letter["Subject"] == subject]
        if found:
            return found[-1]
        assert time.monotonic() < deadline, [letter["Subject"] for letter in mailbox(person)]
        await asyncio.sleep(0.05)


def mailbox(person: Person) -> list[EmailMessage]:
    return letters_to(Path(os.environ["STATE_DIR"]) / "mail", person.email)


def token_in(letter: EmailMessage) -> str:
    """The same in both parts of a letter."""
    found = set()
    for kind in ("plain", "html"):
        part = letter.get_body((kind,))
        assert part is not None
        found |= set(re.findall(r"#token=([\w.-]+)", str(part.get_content())))
    assert len(found) == 1, found
    return str(found.pop())


async def test_the_letter_after_registration_confirms_the_address(gateway: httpx.AsyncClient, person: Person) -> None:
    letter = await letter_to(person, "Please confirm your e-mail address")
    text = letter.get_body(("plain",))
    assert text is not None
    assert f"{os.environ['APP_URL']}/verify-email#token={token_in(letter)}" in text.get_content()
    answer = await gateway.post(f"{AUTH}/email/verify", json={"token": token_in(letter)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == str(person.id)
    assert answer.json()["emailVerifiedAt"]


async def test_a_forgotten_password_is_set_anew_by_letter_and_everything_old_is_refused_everywhere(
    gateway: httpx.AsyncClient, person: Person
) -> None:
    for path in ("/api/v1/users/me", "/api/v1/sessions", "/api/v1/exports"):
        assert (await person.http.get(path)).status_code == 200
    assert (await gateway.post(f"{AUTH}/password/forgot", json={"email": person.email})).status_code == 202
    token = token_in(await letter_to(person, "Set a new password"))
    reset = {"token": token, "newPassword": NEW}
    assert (await gateway.post(f"{AUTH}/password/reset", json=reset)).status_code == 204
    for path in ("/api/v1/users/me", "/api/v1/sessions", "/api/v1/exports"):
        async with asyncio.timeout(5):
            while (await person.http.get(path)).status_code != 401:  # noqa: ASYNC110  by the feed of revocations
                await asyncio.sleep(0.01)
    refreshed = await gateway.post(f"{AUTH}/refresh", json={"refreshToken": person.tokens["refreshToken"]})
    assert refreshed.status_code == 401
    for password, status in ((OLD, 401), (NEW, 200)):
        login = await gateway.post(f"{AUTH}/login", json={"email": person.email, "password": password})
        assert login.status_code == status
    assert (await gateway.post(f"{AUTH}/password/reset", json=reset)).status_code == 400
    assert "#token=" not in (await letter_to(person, "Your password was changed")).as_string()


async def test_the_token_of_a_letter_stands_nowhere_but_in_the_letter(
    gateway: httpx.AsyncClient, person: Person
) -> None:
    await gateway.post(f"{AUTH}/password/forgot", json={"email": person.email})
    token = token_in(await letter_to(person, "Set a new password"))
    secret = token.partition(".")[2]
    assert places_of(secret, person.email)[secret] == set()
    assert log_files_with(secret) == []
    reset = {"token": token, "newPassword": NEW}
    assert (await gateway.post(f"{AUTH}/password/reset", json=reset)).status_code == 204
    assert places_of(secret)[secret] == set()
    assert log_files_with(secret) == []


async def test_a_log_in_from_a_new_device_is_told_by_letter_and_in_the_list(
    gateway: httpx.AsyncClient, person: Person
) -> None:
    login = {"email": person.email, "password": OLD}
    answer = await gateway.post(f"{AUTH}/login", json=login, headers={"User-Agent": "a telephone <b>1</b>"})
    assert answer.status_code == 200
    letter = await letter_to(person, "New log-in to your account")
    page = letter.get_body(("html",))
    assert page is not None
    assert "a telephone &lt;b&gt;1&lt;/b&gt;" in page.get_content()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            listed = (await person.http.get("/api/v1/notifications")).json()["items"]
            if [entry["kind"] for entry in listed] == ["newLogin"]:
                return
            await asyncio.sleep(0.05)
