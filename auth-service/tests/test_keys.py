"""Promises of the signing keys: sealed in Mongo, published without their private parts, one first key."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any

import bson
import httpx
import jwt
import pytest

from auth_service.keys import lives, repository
from auth_service.keys.repository import KeyRepository
from auth_service.keys.sealing import KeySeal, SealedOtherwiseError
from auth_service.keys.service import KeyRing
from auth_service.keys.tokens import TokenIssuer
from auth_service.settings import AuthSettings
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, ensure_indexes

JWKS = "/.well-known/jwks.json"
SEAL = KeySeal(bytes(range(32)))
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
async def keys(database: Database) -> KeyRepository:
    """A database without a key."""
    await ensure_indexes(database, repository.INDEXES)
    return KeyRepository(database)


@pytest.fixture
async def ring(keys: KeyRepository) -> KeyRing:
    """A ring that has made the first key."""
    made = KeyRing(keys, SEAL)
    await made.load()
    return made


async def test_only_public_parts_are_published(auth: httpx.AsyncClient) -> None:
    answer = await auth.get(JWKS)
    assert answer.headers["content-type"] == "application/json"
    keys = answer.json()["keys"]
    assert keys
    for key in keys:
        assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")


async def test_caches_may_keep_the_keys_and_ask_whether_they_changed(auth: httpx.AsyncClient) -> None:
    first = await auth.get(JWKS)
    assert first.headers["cache-control"] == "public, max-age=300"
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}'):
        again = await auth.get(JWKS, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert (await auth.get(JWKS, headers={"If-None-Match": '"other"'})).json() == first.json()


async def test_no_byte_of_a_private_key_is_readable_in_mongo(database: Database, ring: KeyRing) -> None:
    stored = bson.encode({"keys": await database.signing_keys.find().to_list()})
    secret = ring.signing.private.private_bytes_raw()
    for shape in (secret, secret.hex().encode(), base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        assert shape not in stored
    assert ring.signing.kid.encode() in stored


async def test_processes_that_start_at_once_agree_on_one_first_key(keys: KeyRepository, database: Database) -> None:
    all_have_looked = asyncio.Barrier(6)

    class Racing(KeyRepository):
        async def usable(self) -> list[Document]:
            found = await super().usable()
            if not found:
                await all_have_looked.wait()
            return found

    rings = [KeyRing(Racing(database), SEAL) for _ in range(6)]
    await asyncio.gather(*(ring.load() for ring in rings))
    assert len({ring.signing.kid for ring in rings}) == 1
    assert await database.signing_keys.count_documents({}) == 1


async def test_a_restart_keeps_the_key(keys: KeyRepository, ring: KeyRing) -> None:
    restarted = KeyRing(keys, SEAL)
    await restarted.load()
    assert restarted.jwks() == ring.jwks()
    assert restarted.signing.private.private_bytes_raw() == ring.signing.private.private_bytes_raw()


async def test_another_key_encryption_key_stops_the_start_and_makes_no_new_key(
    keys: KeyRepository, database: Database, ring: KeyRing
) -> None:
    with pytest.raises(SealedOtherwiseError, match="KEY_ENCRYPTION_KEY is not the one"):
        await KeyRing(keys, KeySeal(bytes(32))).load()
    assert await database.signing_keys.count_documents({}) == 1


async def test_a_newer_key_of_another_process_signs_and_tokens_of_the_older_stay_good(
    keys: KeyRepository,
    ring: KeyRing,
    settings: AuthSettings,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> None:
    monkeypatch.setattr(lives, "RELOAD_SECONDS", 0.01)
    issuer = TokenIssuer(ring, settings)
    old = issuer.for_user(bson.ObjectId(), "session", ["user"], 0)
    await keys.insert(SEAL.new(2, time.time(), time.time() - 1))
    following = asyncio.create_task(ring.follow())

    async def has_both() -> bool:
        return len(ring.jwks()["keys"]) == 2

    await eventually(has_both)
    following.cancel()
    new = issuer.for_user(bson.ObjectId(), "session", ["user"], 0)
    published = jwt.PyJWKSet.from_dict(ring.jwks())
    kids = [jwt.get_unverified_header(token)["kid"] for token in (old, new)]
    assert kids[1] == ring.signing.kid != kids[0]
    for token, kid in zip((old, new), kids, strict=True):
        assert jwt.decode(token, published[kid], algorithms=["EdDSA"], audience=settings.token_audience)


async def test_a_key_that_cannot_be_opened_takes_none_away(keys: KeyRepository, ring: KeyRing) -> None:
    before = ring.jwks()
    broken: dict[str, Any] = {"_id": "broken", "number": 2, "sealed": b"nonsense", "createdAt": utc_now()}
    await keys.insert(broken)
    with pytest.raises(SealedOtherwiseError):
        await ring.load()
    assert ring.jwks() == before
