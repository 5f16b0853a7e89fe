"""Promises of `make keys` and `make admin`: what they do, and how they say that they could not."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId

from auth_service.container import AuthContainer
from intervai_shared.models import utc_now
from intervai_shared.mongo import Database

Run = Callable[..., Awaitable[tuple[int, str, str]]]
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
JWKS = "/.well-known/jwks.json"


@pytest.fixture
def run(own_database: str) -> Run:
    """Runs `python -m auth_service.<command>`: exit code, output, errors. Settings are added to those of the test."""

    async def command(name: str, *arguments: str, **settings: str) -> tuple[int, str, str]:
        program = [sys.executable, "-m", f"auth_service.{name}", *arguments]
        process = await asyncio.create_subprocess_exec(
            *program, env={**os.environ, **settings}, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode().strip(), errors.decode().strip()

    return command


def kids_of(answer: httpx.Response) -> list[str]:
    return [key["kid"] for key in answer.json()["keys"]]


def kid_of(tokens: dict[str, Any]) -> str:
    return str(jwt.get_unverified_header(tokens["accessToken"])["kid"])


async def log_in(auth: httpx.AsyncClient, registration: dict[str, Any]) -> dict[str, Any]:
    login = {"email": registration["email"], "password": registration["password"]}
    return dict((await auth.post("/api/v1/auth/login", json=login)).json())


async def test_a_leaked_key_is_stopped_in_a_running_service_by_one_command(
    auth: httpx.AsyncClient,
    container: AuthContainer,
    run: Run,
    signed_up: dict[str, Any],
    registration: dict[str, Any],
    database: Database,
    eventually: Eventually,
) -> None:
    leaked = (await run("keys", "rotate"))[1].split()[0]  # the suite's own key stays what it is
    await database.signing_keys.update_one({"_id": leaked}, {"$set": {"signsFrom": utc_now()}})
    await container.keys.load()
    tokens = await log_in(auth, registration)
    assert kid_of(tokens) == leaked
    code, said, _ = await run("keys", "revoke", leaked)
    new = said.split()[3]
    assert (code, said) == (0, f"{leaked} is revoked, {new} signs now")

    async def is_stopped() -> bool:
        bearer = {"Authorization": f"Bearer {tokens['accessToken']}"}
        refused = (await auth.get("/api/v1/auth/sessions", headers=bearer)).status_code == 401
        return refused and leaked not in kids_of(await auth.get(JWKS))

    await eventually(is_stopped)
    assert kid_of(await log_in(auth, registration)) == new
    code, _, errors = await run("keys", "revoke", leaked)
    assert (code, errors) == (1, f"The key {leaked} has been revoked before.")
    _, listed, _ = await run("keys", "list")
    assert [line.rsplit(maxsplit=1)[-1] for line in listed.splitlines()] == ["signing", "revoked", "ending"]


async def test_the_next_key_is_made_by_command_and_listed(auth: httpx.AsyncClient, run: Run) -> None:
    first = kids_of(await auth.get(JWKS))
    code, said, _ = await run("keys", "rotate")
    assert (code, said.split()[1:]) == (0, ["is", "made,", "signs", "in", "12", "min"])
    _, listed, _ = await run("keys", "list")
    lines = [line.split() for line in listed.splitlines()]
    assert [(line[0], line[-1]) for line in lines] == [(said.split()[0], "waiting"), (first[0], "signing")]


async def test_an_unknown_key_is_said_to_be_unknown(auth: httpx.AsyncClient, run: Run) -> None:
    assert await run("keys", "revoke", "forged") == (1, "", "There is no key forged.")


async def test_when_redis_is_away_the_operator_is_told_what_is_left_to_do(
    auth: httpx.AsyncClient, run: Run, database: Database
) -> None:
    kid = kids_of(await auth.get(JWKS))[0]
    code, _, errors = await run("keys", "revoke", kid, REDIS_URL="redis://127.0.0.1:1/1")
    assert code == 1
    assert errors.startswith("done in Mongo, but the services could not be told")
    stored = await database.signing_keys.find_one({"_id": kid})
    assert stored
    assert "sealed" not in stored


async def test_an_account_is_made_an_administrator_and_ordinary_again(
    auth: httpx.AsyncClient, run: Run, signed_up: dict[str, Any], database: Database
) -> None:
    email = signed_up["user"]["email"]
    told = [await run("admin", *arguments) for arguments in ([email.upper()], [email])]
    assert told == [
        (0, f"{email.upper()} is an administrator, from the next log-in or refresh on", ""),
        (0, f"{email} is an administrator already", ""),
    ]
    answer = await auth.post("/api/v1/auth/refresh", json={"refreshToken": signed_up["refreshToken"]})
    assert answer.json()["user"]["roles"] == ["user", "admin"]
    told = [await run("admin", email, "--revoke") for _ in range(2)]
    assert [said for _, said, _ in told] == [f"{email} is an administrator no more", f"{email} is no administrator"]
    entries = await database.audit.find({"user": ObjectId(signed_up["user"]["id"])}).sort("at", 1).to_list()
    assert [entry["event"] for entry in entries][-2:] == ["role.granted", "role.revoked"]
    assert entries[-1]["userAgent"] == "command line"


async def test_an_e_mail_without_account_is_said_to_have_none(auth: httpx.AsyncClient, run: Run) -> None:
    code, said, errors = await run("admin", "nobody@example.com")
    assert (code, said) == (1, "")
    assert errors == "No account has the e-mail nobody@example.com. Its owner must register first."
    code, _, errors = await run("admin", "")
    assert code == 2
    assert 'make admin EMAIL="ada@example.com"' in errors
