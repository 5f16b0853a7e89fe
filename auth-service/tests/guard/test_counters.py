"""Promises of the brute-force guard: what is counted, forgotten, told."""

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from auth_service.audit.repository import AuditRepository
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.guard.service import LoginGuard, names
from auth_service.settings import AuthSettings
from intervai_shared import redis as chassis_redis
from intervai_shared.errors import TooManyRequestsError
from intervai_shared.models import Document
from intervai_shared.mongo import Database

DAY = 86_400
Wait = Callable[..., Awaitable[int]]


def new_caller() -> Caller:
    """Somebody in a network that nobody else has."""
    return Caller(f"2001:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1", "a browser")


def an_email() -> str:
    return f"{secrets.token_hex(8)}@example.com"


def _answers(value: bool) -> Callable[[], Awaitable[bool]]:
    async def answer() -> bool:
        return value

    return answer


async def test_an_unknown_e_mail_gets_the_very_same_answers(guard: LoginGuard, account: Document) -> None:
    said: dict[bool, list[Any]] = {True: [], False: []}
    for is_known, answers in said.items():
        key, caller = (account["emailKey"] if is_known else an_email()), new_caller()
        for number in range(30):
            whence = caller if number < 8 else new_caller()
            try:
                await guard.check("password", key, account if is_known else None, whence, _answers(False))
                answers.append("wrong")
            except TooManyRequestsError as refusal:
                answers.append((refusal.headers, re.sub(r"\s+", " ", str(refusal))))
    assert said[True] == said[False]
    assert len({str(answer) for answer in said[True]}) == 3


async def test_counters_are_forgotten_a_day_after_the_last_failure(
    wrong: Wait, redis: Redis, account: Document
) -> None:
    caller = new_caller()
    await wrong(account["emailKey"], caller, account)
    counters = names("password", account["emailKey"], caller).values()
    assert await redis.exists(*counters) == 3
    for name in counters:
        await redis.expire(name, 60)
    await wrong(account["emailKey"], caller, account)
    for name in counters:
        assert DAY - 60 < await redis.ttl(name) <= DAY


async def test_codes_are_counted_apart_from_passwords(wrong: Wait, right: Wait, account: Document) -> None:
    key, caller = account["emailKey"], account["home"]
    for _ in range(5):
        assert await wrong(key, caller, account, "code") == 0
        assert await right(key, caller, account, "password") == 0
    assert await wrong(key, caller, account, "code") == 1


async def test_a_try_that_could_not_be_judged_is_not_counted(guard: LoginGuard, wrong: Wait) -> None:
    key, caller = an_email(), new_caller()

    async def breaks() -> bool:
        raise RedisConnectionError("away")

    for _ in range(60):
        with pytest.raises(RedisConnectionError):
            await guard.check("password", key, None, caller, breaks)
    assert await wrong(key, caller) == 0


async def test_who_has_shown_to_be_the_owner_in_another_way_need_not_wait(
    guard: LoginGuard, wrong: Wait, account: Document, clock: Any
) -> None:
    key, caller = account["emailKey"], new_caller()
    for _ in range(25):
        clock.now += await wrong(key, new_caller(), account)
    for _ in range(6):
        await wrong(key, caller, account)
    assert await wrong(key, caller, account) > 0
    await guard.lift("password", key, caller)
    assert await wrong(key, caller, account) == 0


async def test_a_lock_is_in_the_audit_log_when_it_begins_and_refusals_are_only_counted(
    wrong: Wait, account: Document, database: Database
) -> None:
    caller = new_caller()
    before = _refusals()
    for _ in range(25):
        await wrong(account["emailKey"], caller, account)
    entries = await database.audit.find({"user": account["_id"]}).to_list()
    assert [entry["event"] for entry in entries] == ["login.locked-out"]
    assert entries[0]["details"] == {"kind": "password", "counter": "account-and-address", "seconds": 1}
    assert entries[0]["address"] == caller.address
    assert _refusals() == before + 20


async def test_a_right_password_that_would_have_been_the_last_free_try_locks_nothing(
    wrong: Wait, right: Wait, account: Document, database: Database
) -> None:
    for _ in range(4):
        await wrong(account["emailKey"], account["home"], account)
    assert await right(account["emailKey"], account["home"], account) == 0
    assert await right(account["emailKey"], account["home"], account) == 0
    assert await database.audit.count_documents({"event": "login.locked-out"}) == 0


async def test_numbers_are_settings_and_a_scale_of_0_switches_it_off(
    redis: Redis, switched_on: AuthSettings, database: Database, clock: Any
) -> None:
    audit = AuditLog(AuditRepository(database))
    for scale, free in ((1.0, 2), (2.0, 4), (0.0, 40)):
        changed = switched_on.model_copy(update={"lockout_failures": 2, "rate_limit_scale": scale})
        guard, key, caller = LoginGuard(redis, changed, audit), an_email(), new_caller()
        through = 0
        for _ in range(40):
            try:
                await guard.check("password", key, None, caller, _answers(False))
                through += 1
            except TooManyRequestsError:
                break
        assert through == free


async def test_without_redis_nothing_is_let_through(switched_on: AuthSettings, database: Database) -> None:
    nowhere = switched_on.model_copy(update={"redis_url": type(switched_on.redis_url)("redis://127.0.0.1:1/0")})
    async with chassis_redis.connect(nowhere) as client:
        guard = LoginGuard(client, switched_on, AuditLog(AuditRepository(database)))
        with pytest.raises(RedisConnectionError):
            await guard.check("password", an_email(), None, new_caller(), _answers(True))


def _refusals() -> float:
    labels = {"kind": "password", "counter": "account-and-address"}
    return REGISTRY.get_sample_value("intervai_login_guard_refused_total", labels) or 0.0
