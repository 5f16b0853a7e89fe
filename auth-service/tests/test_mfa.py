"""Promises of the second factor: how it is switched on and off, and what is kept of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from bson import ObjectId
from cryptography.exceptions import InvalidTag
from redis.asyncio import Redis

from auth_service.container import AuthContainer
from auth_service.mfa.totp import Authenticator
from intervai_shared.mongo import Database

LOGIN, MFA = "/api/v1/auth/login", "/api/v1/auth/mfa"
SETUP, CONFIRM, TOTP, CODES = f"{MFA}/totp/setup", f"{MFA}/totp/confirm", f"{MFA}/totp", f"{MFA}/recovery-codes"
WRONG = "000000"
Start = Callable[..., Awaitable[tuple[httpx.AsyncClient, AuthContainer]]]


@pytest.fixture
def me(signed_up: dict[str, Any]) -> dict[str, str]:
    """The headers of somebody who has just signed up."""
    return {"Authorization": f"Bearer {signed_up['accessToken']}"}


@pytest.fixture
def credentials(registration: dict[str, Any]) -> dict[str, str]:
    return {key: registration[key] for key in ("email", "password")}


async def confirm(auth: httpx.AsyncClient, me: dict[str, str], code: str) -> httpx.Response:
    return await auth.post(CONFIRM, json={"code": code}, headers=me)


async def audited(database: Database, user: ObjectId) -> list[str]:
    return [entry["event"] for entry in await database.audit.find({"user": user}).sort("_id").to_list()]


async def test_it_is_off_until_a_code_of_the_app_has_been_seen(
    auth: httpx.AsyncClient, me: dict[str, str], credentials: dict[str, str], device: Any
) -> None:
    off = {"totp": False, "confirmedAt": None, "recoveryCodesLeft": 0}
    assert (await auth.get(MFA, headers=me)).json() == off
    device.secret = (await auth.post(SETUP, headers=me)).json()["secret"]
    assert (await auth.get(MFA, headers=me)).json() == off
    assert "accessToken" in (await auth.post(LOGIN, json=credentials)).json()

    answer = await confirm(auth, me, device.code())
    assert answer.status_code == 200
    assert len(set(answer.json()["recoveryCodes"])) == 10
    status = (await auth.get(MFA, headers=me)).json()
    assert (status["totp"], status["recoveryCodesLeft"]) == (True, 10)
    assert status["confirmedAt"] == device.utc_now().isoformat().replace("+00:00", "Z")
    assert "accessToken" not in (await auth.post(LOGIN, json=credentials)).json()


async def test_the_app_gets_a_secret_of_160_bits_by_a_link_that_names_the_account(
    auth: httpx.AsyncClient, me: dict[str, str], credentials: dict[str, str], device: Any
) -> None:
    answer = await auth.post(SETUP, headers=me)
    link = urlsplit(answer.json()["otpauthUri"])
    assert (link.scheme, link.netloc) == ("otpauth", "totp")
    assert unquote(link.path) == f"/InterVAI:{credentials['email']}"
    assert parse_qs(link.query)["secret"] == [answer.json()["secret"]]
    assert len(answer.json()["secret"]) * 5 == 160
    assert answer.headers["cache-control"] == "no-store"


async def test_a_new_set_up_makes_the_one_that_waited_void(
    auth: httpx.AsyncClient, me: dict[str, str], device: Any
) -> None:
    device.secret = (await auth.post(SETUP, headers=me)).json()["secret"]
    old = device.code()
    device.secret = (await auth.post(SETUP, headers=me)).json()["secret"]
    assert (await confirm(auth, me, old)).status_code == 422
    assert (await confirm(auth, me, device.code())).status_code == 200


async def test_a_set_up_waits_ten_minutes_for_its_code(
    auth: httpx.AsyncClient, me: dict[str, str], device: Any
) -> None:
    assert (await confirm(auth, me, WRONG)).status_code == 409
    device.secret = (await auth.post(SETUP, headers=me)).json()["secret"]
    device.wait(601)
    assert (await confirm(auth, me, device.code())).status_code == 409
    device.wait(-2)
    assert (await confirm(auth, me, device.code())).status_code == 200


async def test_a_wrong_code_says_which_field_and_leaves_the_set_up_waiting(
    auth: httpx.AsyncClient, me: dict[str, str], device: Any
) -> None:
    device.secret = (await auth.post(SETUP, headers=me)).json()["secret"]
    refused = await confirm(auth, me, WRONG)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "code")
    assert (await confirm(auth, me, device.code())).status_code == 200


async def test_guesses_of_the_first_code_are_counted(
    start: Start, me: dict[str, str], device: Any, own_address: dict[str, str]
) -> None:
    auth, _ = await start(RATE_LIMIT_SCALE="1", LOCKOUT_FIRST_SECONDS="60")
    auth.headers.update(own_address)
    device.secret = (await auth.post(SETUP, headers=me)).json()["secret"]
    for _ in range(5):
        assert (await confirm(auth, me, WRONG)).status_code == 422
    assert (await confirm(auth, me, device.code())).status_code == 429


async def test_of_fifty_parallel_confirmations_one_shows_recovery_codes_and_those_are_good(
    auth: httpx.AsyncClient, me: dict[str, str], credentials: dict[str, str], device: Any
) -> None:
    device.secret = (await auth.post(SETUP, headers=me)).json()["secret"]
    answers = await asyncio.gather(*(confirm(auth, me, device.code()) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 49
    (codes,) = [answer.json()["recoveryCodes"] for answer in answers if answer.is_success]
    token = (await auth.post(LOGIN, json=credentials)).json()["mfaToken"]
    proof = {"mfaToken": token, "recoveryCode": codes[0]}
    assert (await auth.post(f"{TOTP}/verify", json=proof)).status_code == 200


async def test_a_second_factor_that_is_on_cannot_be_replaced_unseen(auth: httpx.AsyncClient, protected: Any) -> None:
    assert (await auth.post(SETUP, headers=protected.headers)).status_code == 409
    again = await confirm(auth, protected.headers, protected.device.code())
    assert again.status_code == 409
    assert (await auth.get(MFA, headers=protected.headers)).json()["totp"]


async def test_switched_off_the_password_is_enough_and_recovery_codes_are_void(
    auth: httpx.AsyncClient, protected: Any, database: Database
) -> None:
    waiting = (await auth.post(LOGIN, json=protected.credentials)).json()["mfaToken"]
    assert (await auth.delete(TOTP, headers=protected.headers)).status_code == 204
    assert (await auth.get(MFA, headers=protected.headers)).json()["totp"] is False
    assert "accessToken" in (await auth.post(LOGIN, json=protected.credentials)).json()
    proof = {"mfaToken": waiting, "recoveryCode": protected.recovery_codes[0]}
    assert (await auth.post(f"{TOTP}/verify", json=proof)).status_code == 401
    assert (await auth.delete(TOTP, headers=protected.headers)).status_code == 404
    events = await audited(database, protected.id)
    assert (events.count("mfa.enabled"), events.count("mfa.disabled")) == (1, 1)


async def test_new_recovery_codes_make_the_old_ones_void(
    auth: httpx.AsyncClient, protected: Any, database: Database
) -> None:
    answer = await auth.post(CODES, headers=protected.headers)
    assert answer.status_code == 200
    renewed = answer.json()["recoveryCodes"]
    assert len({*renewed, *protected.recovery_codes}) == 20
    for code, status in ((protected.recovery_codes[0], 401), (renewed[0], 200)):
        token = (await auth.post(LOGIN, json=protected.credentials)).json()["mfaToken"]
        proof = {"mfaToken": token, "recoveryCode": code}
        assert (await auth.post(f"{TOTP}/verify", json=proof)).status_code == status
    assert (await audited(database, protected.id)).count("mfa.recovery-codes-renewed") == 1


async def test_without_a_second_factor_there_are_no_recovery_codes(auth: httpx.AsyncClient, me: dict[str, str]) -> None:
    assert (await auth.post(CODES, headers=me)).status_code == 404


async def test_an_idempotency_key_shows_no_secret_a_second_time(auth: httpx.AsyncClient, protected: Any) -> None:
    headers = {**protected.headers, "Idempotency-Key": "renew-1"}
    first, again = [(await auth.post(CODES, headers=headers)).json()["recoveryCodes"] for _ in range(2)]
    assert not {*first} & {*again}
    token = (await auth.post(LOGIN, json=protected.credentials)).json()["mfaToken"]
    proof = {"mfaToken": token, "recoveryCode": again[0]}
    assert (await auth.post(f"{TOTP}/verify", json=proof)).status_code == 200


async def test_letters_tell_its_owner_that_it_was_switched_on_and_off(
    auth: httpx.AsyncClient, protected: Any, database: Database
) -> None:
    await auth.delete(TOTP, headers=protected.headers)
    mine = {"user": protected.id, "kind": {"$in": ["mfa-enabled", "mfa-disabled"]}}
    letters = await database.letters.find(mine).sort("_id").to_list()
    email = protected.credentials["email"]
    assert [(letter["kind"], letter["to"]) for letter in letters] == [("mfa-enabled", email), ("mfa-disabled", email)]
    sent = await database.outbox.find({"name": "send_letter"}).to_list()
    assert {str(letter["_id"]) for letter in letters} <= {message["args"][0] for message in sent}


async def test_no_secret_lies_anywhere_in_clear(
    auth: httpx.AsyncClient,
    me: dict[str, str],
    credentials: dict[str, str],
    device: Any,
    database: Database,
    redis: Redis,
) -> None:
    keyed = {**me, "Idempotency-Key": "the-same"}
    device.secret = (await auth.post(SETUP, headers=keyed)).json()["secret"]
    confirmed = await auth.post(CONFIRM, json={"code": device.code()}, headers=keyed)
    renewed = await auth.post(CODES, headers=keyed)
    token = (await auth.post(LOGIN, json=credentials)).json()["mfaToken"]
    codes = [*confirmed.json()["recoveryCodes"], *renewed.json()["recoveryCodes"]]
    proof = {"code": device.next_code()}
    again = await auth.post("/api/v1/auth/reauthenticate", json=proof, headers=keyed)
    assert again.status_code == 200
    secrets = [device.secret, token, again.json()["accessToken"], *codes, *(code.replace("-", "") for code in codes)]

    kept = ""
    for name in await database.list_collection_names():
        kept += repr(await database[name].find().to_list())
    async for key in redis.scan_iter():
        kind = (await redis.type(key)).decode()
        value = await (redis.hgetall(key) if kind == "hash" else redis.dump(key))
        kept += f"{key!r}{value!r}"
    assert "mfa.enabled" in kept
    assert "auth:mfa:" in kept
    assert [secret for secret in secrets if secret in kept] == []


async def test_a_sealed_secret_opens_for_its_own_account_only() -> None:
    authenticator = Authenticator(bytes(32), "InterVAI")
    ada, bob = ObjectId(), ObjectId()
    sealed = authenticator.sealed(authenticator.new_secret(), ada)
    assert authenticator.step(sealed, ada, WRONG) is None
    with pytest.raises(InvalidTag):
        authenticator.step(sealed, bob, WRONG)
    with pytest.raises(InvalidTag):
        Authenticator(bytes([1] * 32), "InterVAI").step(sealed, ada, WRONG)
