"""Promises of login sessions: rotation, reuse, races, lives. The clock is ours, Redis is real."""

import asyncio
from collections.abc import Callable

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from auth_service.caller import Caller
from auth_service.sessions.store import LoginSession, LoginSessions, SessionReusedError
from auth_service.settings import AuthSettings
from intervai_shared.errors import UnauthenticatedError

MASTER_KEY = bytes(range(32))
CALLER = Caller("203.0.113.7", "a browser")
PassTime = Callable[[float], None]


@pytest.fixture
def sessions(redis: Redis, settings: AuthSettings, pass_time: PassTime) -> LoginSessions:
    """Sessions on the test's clock."""
    return LoginSessions(redis, settings, MASTER_KEY)


@pytest.fixture
async def first(sessions: LoginSessions) -> LoginSession:
    """A session just opened."""
    return await sessions.open(ObjectId(), CALLER)


def reuses() -> float:
    return REGISTRY.get_sample_value("intervai_refresh_reuse_total") or 0.0


async def test_each_refresh_token_leads_to_the_next(sessions: LoginSessions, first: LoginSession) -> None:
    chain = [first]
    for _ in range(10):
        chain.append(await sessions.rotate(chain[-1].refresh_token, CALLER))
    assert len({session.refresh_token for session in chain}) == 11
    assert {(session.id, session.user) for session in chain} == {(first.id, first.user)}


async def test_a_token_of_an_older_generation_ends_the_session(sessions: LoginSessions, first: LoginSession) -> None:
    second = await sessions.rotate(first.refresh_token, CALLER)
    third = await sessions.rotate(second.refresh_token, CALLER)
    before = reuses()
    with pytest.raises(SessionReusedError) as reused:
        await sessions.rotate(first.refresh_token, CALLER)
    assert reused.value.session_id == first.id
    assert reuses() == before + 1
    with pytest.raises(UnauthenticatedError, match="has ended"):
        await sessions.rotate(third.refresh_token, CALLER)


async def test_fifty_racing_refreshes_get_the_same_successor(
    redis: Redis, settings: AuthSettings, sessions: LoginSessions, first: LoginSession
) -> None:
    other_process = LoginSessions(redis, settings, MASTER_KEY)
    before = reuses()
    race = [process.rotate(first.refresh_token, CALLER) for process in (sessions, other_process) for _ in range(25)]
    winners = await asyncio.gather(*race)
    assert len({session.refresh_token for session in winners}) == 1
    assert reuses() == before
    assert (await sessions.rotate(winners[0].refresh_token, CALLER)).id == first.id


async def test_within_the_grace_the_token_before_gets_the_same_successor(
    sessions: LoginSessions, first: LoginSession, settings: AuthSettings, pass_time: PassTime
) -> None:
    second = await sessions.rotate(first.refresh_token, CALLER)
    pass_time(settings.refresh_grace_seconds)
    assert await sessions.rotate(first.refresh_token, CALLER) == second


async def test_after_the_grace_the_token_before_is_reuse(
    sessions: LoginSessions, first: LoginSession, settings: AuthSettings, pass_time: PassTime
) -> None:
    await sessions.rotate(first.refresh_token, CALLER)
    pass_time(settings.refresh_grace_seconds + 0.002)
    with pytest.raises(SessionReusedError):
        await sessions.rotate(first.refresh_token, CALLER)


async def test_losers_of_a_race_do_not_prolong_the_grace(
    sessions: LoginSessions, first: LoginSession, settings: AuthSettings, pass_time: PassTime
) -> None:
    await sessions.rotate(first.refresh_token, CALLER)
    pass_time(settings.refresh_grace_seconds)
    await sessions.rotate(first.refresh_token, CALLER)
    pass_time(0.002)
    with pytest.raises(SessionReusedError):
        await sessions.rotate(first.refresh_token, CALLER)


async def test_the_grace_is_a_setting(redis: Redis, settings: AuthSettings, pass_time: PassTime) -> None:
    strict = LoginSessions(redis, settings.model_copy(update={"refresh_grace_seconds": 0}), MASTER_KEY)
    first = await strict.open(ObjectId(), CALLER)
    await strict.rotate(first.refresh_token, CALLER)
    pass_time(0.002)
    with pytest.raises(SessionReusedError):
        await strict.rotate(first.refresh_token, CALLER)


async def test_an_unused_session_ends_after_its_idle_life(
    redis: Redis, settings: AuthSettings, first: LoginSession
) -> None:
    left = await redis.ttl(f"auth:session:{first.id}")
    assert settings.refresh_idle_seconds - 60 < left <= settings.refresh_idle_seconds


async def test_each_refresh_begins_the_idle_life_anew(
    redis: Redis, settings: AuthSettings, sessions: LoginSessions, first: LoginSession
) -> None:
    await redis.expire(f"auth:session:{first.id}", 30)
    await sessions.rotate(first.refresh_token, CALLER)
    assert await redis.ttl(f"auth:session:{first.id}") > settings.refresh_idle_seconds - 60


async def test_no_refresh_prolongs_the_absolute_life(
    redis: Redis, settings: AuthSettings, sessions: LoginSessions, first: LoginSession, pass_time: PassTime
) -> None:
    pass_time(settings.refresh_absolute_seconds - 30)
    second = await sessions.rotate(first.refresh_token, CALLER)
    assert await redis.ttl(f"auth:session:{first.id}") <= 30
    pass_time(30)
    with pytest.raises(UnauthenticatedError, match="has ended"):
        await sessions.rotate(second.refresh_token, CALLER)
    assert not await redis.exists(f"auth:session:{first.id}")


async def test_an_ended_session_is_refused_and_is_no_reuse(sessions: LoginSessions, first: LoginSession) -> None:
    await sessions.end(first.id)
    before = reuses()
    with pytest.raises(UnauthenticatedError, match="has ended"):
        await sessions.rotate(first.refresh_token, CALLER)
    assert reuses() == before


async def test_writes_that_redis_lost_log_nobody_out(
    redis: Redis, sessions: LoginSessions, first: LoginSession
) -> None:
    second = await sessions.rotate(first.refresh_token, CALLER)
    third = await sessions.rotate(second.refresh_token, CALLER)
    await redis.hset(f"auth:session:{first.id}", "generation", 1)  # as a fail-over leaves it
    fourth = await sessions.rotate(third.refresh_token, CALLER)
    assert fourth.refresh_token not in {session.refresh_token for session in (first, second, third)}
    with pytest.raises(SessionReusedError):  # reuse is still noticed
        await sessions.rotate(second.refresh_token, CALLER)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda sid, generation, mac: f"{sid}.{int(generation) + 1}.{mac}",
        lambda sid, generation, mac: f"{sid}.0.{mac}",
        lambda sid, generation, mac: f"{sid}.-1.{mac}",
        lambda sid, generation, mac: f"{sid}.{generation}.{mac[:-2]}",
        lambda sid, generation, mac: f"{sid}.{generation}.{mac.swapcase()}",
        lambda sid, generation, mac: f"{sid}.{generation}.",
        lambda sid, generation, mac: f"{sid[:-1]}.{generation}.{mac}",
        lambda sid, generation, mac: f"{sid}.{generation}.{mac}é",
        lambda sid, generation, mac: f"{sid}.{'9' * 400}.{mac}",
    ],
)
async def test_a_tampered_token_is_refused_and_does_not_end_the_session(
    sessions: LoginSessions, first: LoginSession, tamper: Callable[[str, str, str], str]
) -> None:
    with pytest.raises(UnauthenticatedError, match="no refresh token"):
        await sessions.rotate(tamper(*first.refresh_token.split(".")), CALLER)
    assert (await sessions.rotate(first.refresh_token, CALLER)).id == first.id


async def test_a_token_made_with_another_key_is_refused(
    redis: Redis, settings: AuthSettings, sessions: LoginSessions, first: LoginSession
) -> None:
    forger = LoginSessions(redis, settings, bytes(32))
    with pytest.raises(UnauthenticatedError, match="no refresh token"):
        await sessions.rotate(forger._token(first.id, 1), CALLER)


@given(text=st.text() | st.from_regex(r"\A[\w-]{0,30}\.\d{0,12}\.[\w-]{0,50}\Z"))
@effort(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_but_our_own_is_a_token(settings: AuthSettings, text: str) -> None:
    reader = LoginSessions(Redis(), settings, MASTER_KEY)
    with pytest.raises(UnauthenticatedError):
        reader._read(text)


async def test_what_redis_holds_makes_no_token(redis: Redis, first: LoginSession) -> None:
    held = await redis.hgetall(f"auth:session:{first.id}")
    where = {b"address", b"userAgent"}
    assert set(held) == where | {b"user", b"epoch", b"generation", b"rotatedAt", b"createdAt", b"authenticatedAt"}
    assert first.refresh_token.rpartition(".")[2] not in repr(held)
