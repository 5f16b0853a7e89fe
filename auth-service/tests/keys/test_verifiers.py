"""Promises of key rotation to those who check tokens: no valid one is ever refused, a leaked key is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt.api_jwt
import pytest
from bson import ObjectId
from fastapi import FastAPI, Request
from redis.asyncio import Redis
from starlette.responses import Response

from auth_service.caller import Caller
from auth_service.keys import lives
from auth_service.keys.repository import KeyRepository
from auth_service.keys.rotation import KeyRotation
from auth_service.keys.sealing import KeySeal
from auth_service.keys.service import KeyRing
from auth_service.keys.tokens import TokenIssuer
from auth_service.settings import AuthSettings
from intervai_shared.auth import keys as key_sets
from intervai_shared.auth.keys import KeySet
from intervai_shared.auth.revocations import Revocations
from intervai_shared.auth.tokens import TokenVerifier
from intervai_shared.errors import UnauthenticatedError
from intervai_shared.http.caching import cacheable_json
from intervai_shared.tasks import keep_running

SEAL = KeySeal(bytes(range(32)))
OPERATOR = Caller("", "command line")
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


def verifier_of(ring: KeyRing, revocations: Revocations, settings: AuthSettings, transport: Any = None) -> Any:
    """A service that fetches the keys of `ring` over HTTP."""
    app = FastAPI()

    @app.get("/.well-known/jwks.json")
    async def jwks(request: Request) -> Response:
        return cacheable_json(request, ring.jwks(), lives.MAX_AGE_SECONDS)

    http = httpx.AsyncClient(transport=transport or httpx.ASGITransport(app), base_url="http://auth")
    key_set = KeySet(http)
    issuer, audience = settings.token_issuer, settings.token_audience
    return TokenVerifier(key_set, revocations, issuer=issuer, audience=audience, service="qa-service")


class SlowCache(httpx.AsyncBaseTransport):
    """A cache on the way, that keeps the keys for as long as it may."""

    def __init__(self, ring: KeyRing, clock: Any) -> None:
        self._ring, self._clock = ring, clock
        self._kept: Any = None
        self._at = float("-inf")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._clock.now - self._at >= lives.MAX_AGE_SECONDS:
            self._kept, self._at = self._ring.jwks(), self._clock.now
        return httpx.Response(200, json=self._kept, request=request)


def token_of(ring: KeyRing, settings: AuthSettings) -> str:
    return TokenIssuer(ring, settings).for_user(ObjectId(), "session", ["user"], 0)


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_through_three_rotations_every_token_is_good_until_it_expires(
    keys: KeyRepository, rotate: KeyRotation, revocations: Revocations, settings: AuthSettings, clock: Any
) -> None:
    """Two processes that sign, one five seconds ahead, the other half a minute behind, and that look for new keys at
    different moments; two services that fetch from different ones, through caches."""
    rings = [KeyRing(keys, SEAL), KeyRing(keys, SEAL)]
    for ring in rings:
        await ring.load()
    caches = [SlowCache(ring, clock) for ring in rings]
    services = [verifier_of(ring, revocations, settings, cache) for ring, cache in zip(rings, caches, strict=True)]
    step, life = 15, settings.access_token_ttl_seconds
    issued: list[tuple[float, str]] = []
    signers, checked = set(), 0
    for second in range(0, 4 * 3600, step):
        clock.now += step
        if second in {900, 1500, 7200}:  # the second one while the first is still waiting
            await rotate.rotate(OPERATOR)
        for number, ring in enumerate(rings):
            clock.behind = 30.0 * number - 5.0
            if second % 60 == 30 * number:
                await ring.load()
            issued.append((clock.time(), token_of(ring, settings)))
            clock.behind = 0.0
        issued = [(at, token) for at, token in issued if at + life > clock.now]
        for at, token in issued:
            if clock.now - at < 40 or clock.now - at > life - 60:  # young, and about to expire
                for checks in services:
                    assert (await checks.user(token)).session_id == "session"
                    checked += 1
                signers.add(kid_of(token))
        await asyncio.sleep(0)
        await asyncio.gather(*(checks._keys._refreshing for checks in services if checks._keys._refreshing))
    assert len(signers) == 4
    assert checked > 10_000
    assert [ring.signing.number for ring in rings] == [4, 4]
    for ring in rings:
        assert [key["kid"] for key in ring.jwks()["keys"]] == [ring.signing.kid]


async def test_tokens_of_a_revoked_key_are_refused_where_they_were_accepted_before(
    ring: KeyRing,
    rotate: KeyRotation,
    revocations: Revocations,
    redis: Redis,
    settings: AuthSettings,
    eventually: Eventually,
) -> None:
    elsewhere = Revocations(redis, 600)
    checks = verifier_of(ring, elsewhere, settings)
    known, fresh = token_of(ring, settings), token_of(ring, settings)
    await checks.user(known)
    async with keep_running("follow", elsewhere.follow):
        await rotate.revoke(ring.signing.kid, OPERATOR)

        async def is_told() -> bool:
            return elsewhere.covers_key(kid_of(known))

        await eventually(is_told)
    for token in (known, fresh):
        with pytest.raises(UnauthenticatedError, match="good no more"):
            await checks.user(token)


async def test_without_redis_tokens_of_a_revoked_key_are_refused_once_the_keys_are_fetched_again(
    ring: KeyRing, rotate: KeyRotation, redis: Redis, settings: AuthSettings, clock: Any
) -> None:
    checks = verifier_of(ring, Revocations(redis, 600), settings)  # which is never told
    known = token_of(ring, settings)
    await checks.user(known)
    await rotate.revoke(ring.signing.kid, OPERATOR)
    await ring.load()
    clock.now += key_sets.REFRESH_SECONDS + 1
    await checks.user(known)  # has them fetched
    await checks._keys._refreshing
    with pytest.raises(UnauthenticatedError, match="unknown key"):
        await checks.user(known)
