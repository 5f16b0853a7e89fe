"""What auth-service logs, as a real process at its most talkative level."""

import asyncio
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from intervai_shared.mongo import Database

REGISTER, LOGIN = "/api/v1/auth/register", "/api/v1/auth/login"
REFRESH, LOGOUT, TOKEN = "/api/v1/auth/refresh", "/api/v1/auth/logout", "/internal/token"
MFA, REAUTHENTICATE = "/api/v1/auth/mfa", "/api/v1/auth/reauthenticate"
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def is_up(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/live")).is_success
    except httpx.TransportError:
        return False


async def go_round(client: httpx.AsyncClient, registration: dict[str, Any]) -> list[str]:
    """Every route with good and with bad input; the secrets that were seen on the way."""
    login = {"email": registration["email"], "password": registration["password"]}
    client_secret = json.loads(os.environ["SERVICE_CLIENTS"])["export-service"]
    ask = {"clientId": "export-service", "clientSecret": client_secret, "audience": "qa-service"}
    first = (await client.post(REGISTER, json=registration)).json()
    await client.post(REGISTER, json=registration)
    await client.post(REGISTER, json=registration | {"password": registration["password"] * 10})
    second = (await client.post(LOGIN, json=login)).json()
    await client.post(LOGIN, json=login | {"password": registration["password"] + " not"})
    await client.post(LOGIN, content=json.dumps(login)[:-1])
    third = (await client.post(REFRESH, json={"refreshToken": second["refreshToken"]})).json()
    fourth = (await client.post(REFRESH, json={"refreshToken": third["refreshToken"]})).json()
    await client.post(REFRESH, json={"refreshToken": second["refreshToken"]})  # reuse
    await client.post(REFRESH, json={"refreshToken": first["refreshToken"] + "x"})
    service = (await client.post(TOKEN, json=ask)).json()
    await client.post(TOKEN, json=ask | {"audience": "nobody"})
    second_factor = await go_round_with_a_second_factor(client, first["accessToken"], login)
    await client.post(LOGOUT, headers={"Authorization": f"Bearer {first['accessToken']}x"})
    done = await client.post(LOGOUT, headers={"Authorization": f"Bearer {first['accessToken']}"})
    assert done.status_code == 204
    tokens = [round_[name] for round_ in (first, second, third, fourth) for name in ("accessToken", "refreshToken")]
    parts = [token.rpartition(".")[2] for token in tokens]  # signatures and macs
    return [registration["password"], client_secret, service["accessToken"], *tokens, *parts, *second_factor]


async def go_round_with_a_second_factor(client: httpx.AsyncClient, token: str, login: dict[str, str]) -> list[str]:
    """The routes of the second factor, with right and with wrong codes; their secrets. (A code of six digits is to be
    found in any long log.)"""
    client.headers["Authorization"] = f"Bearer {token}"
    secret = (await client.post(f"{MFA}/totp/setup")).json()["secret"]
    await client.post(f"{MFA}/totp/confirm", json={"code": "000000"})
    confirmed = await client.post(f"{MFA}/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
    codes = confirmed.json()["recoveryCodes"]
    mfa_token = (await client.post(LOGIN, json=login)).json()["mfaToken"]
    await client.post(f"{MFA}/totp/verify", json={"mfaToken": mfa_token, "code": "000000"})
    await client.post(f"{MFA}/totp/verify", json={"mfaToken": mfa_token, "recoveryCode": codes[0] * 9})
    verified = await client.post(f"{MFA}/totp/verify", json={"mfaToken": mfa_token, "recoveryCode": codes[0]})
    proven = await client.post(REAUTHENTICATE, json={"recoveryCode": codes[1]})
    del client.headers["Authorization"]
    return [secret, mfa_token, *codes, verified.json()["refreshToken"], proven.json()["accessToken"]]


@pytest.fixture
async def written(
    database: Database, registration: dict[str, Any], tmp_path: Path, eventually: Eventually
) -> tuple[list[str], str, str]:
    """A real process that has gone round: the secrets seen, its standard output, its standard error."""
    await database.signing_keys.insert_many(await database.client.intervai_auth.signing_keys.find().to_list())
    port = free_port()
    environment = os.environ | {"LOG_LEVEL": "DEBUG", "PORT": str(port), "DRAIN_SECONDS": "0"}
    command = [sys.executable, "-m", "intervai_shared.serve", "auth_service.app"]
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=stdout, stderr=stderr)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await eventually(lambda: is_up(client))
            secrets = await go_round(client, registration)
    finally:
        process.terminate()  # and not kill: the last line is written after the last answer
        await process.wait()
    return secrets, out.read_text(), err.read_text()


async def test_no_secret_and_no_token_is_in_any_line(written: tuple[list[str], str, str]) -> None:
    secrets, out, err = written
    for secret in [*secrets, os.environ["KEY_ENCRYPTION_KEY"], os.environ["REDIS_URL"]]:
        assert secret not in out + err


async def test_every_request_is_one_json_line(written: tuple[list[str], str, str]) -> None:
    lines = [json.loads(line) for line in written[1].splitlines()]
    requests = [line["path"] for line in lines if line["event"] == "request"]
    counted = Counter(path for path in requests if path.startswith(("/api/", "/internal/")))
    second_factor = {f"{MFA}/totp/setup": 1, f"{MFA}/totp/confirm": 2, f"{MFA}/totp/verify": 3, REAUTHENTICATE: 1}
    assert counted == {REGISTER: 3, LOGIN: 4, REFRESH: 4, TOKEN: 2, LOGOUT: 2, **second_factor}
    assert {line["service"] for line in lines} == {"auth-service"}
