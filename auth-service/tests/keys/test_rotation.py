"""Promises of key rotation: one next key whoever makes it, published long before it signs and long after."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from auth_service.audit.repository import AuditRepository
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.container import AuthContainer
from auth_service.keys import lives, rotation
from auth_service.keys.repository import KeyRepository
from auth_service.keys.rotation import DAY_SECONDS, KeyRotation
from auth_service.keys.sealing import KeySeal
from auth_service.keys.service import KeyRing
from auth_service.keys.tasks import rotate_keys
from auth_service.settings import AuthSettings
from auth_service.worker import create_worker
from intervai_shared.auth import keys as key_sets
from intervai_shared.auth.revocations import Revocations
from intervai_shared.errors import ConflictError, NotFoundError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database, Mongo, Session
from intervai_shared.tasks import keep_running

SEAL = KeySeal(bytes(range(32)))
OPERATOR = Caller("", "command line")
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


def states_of(found: list[rotation.KeyState]) -> list[str]:
    return [key.state for key in found]


async def test_a_new_key_is_published_at_once_and_signs_only_when_everybody_knows_it(
    ring: KeyRing, rotate: KeyRotation, clock: Any
) -> None:
    first = ring.signing.kid
    new = await rotate.rotate(OPERATOR)
    await ring.load()
    assert [key["kid"] for key in ring.jwks()["keys"]] == [new, first]
    slowest_way = lives.MAX_AGE_SECONDS + key_sets.REFRESH_SECONDS + lives.RELOAD_SECONDS
    clock.now += slowest_way + 1
    assert ring.signing.kid == first
    clock.now += lives.SKEW_SECONDS
    assert ring.signing.kid == new


async def test_an_old_key_is_published_until_its_last_token_has_expired_then_forgotten(
    ring: KeyRing, rotate: KeyRotation, keys: KeyRepository, clock: Any
) -> None:
    first = ring.signing.kid
    new = await rotate.rotate(OPERATOR)
    await ring.load()
    clock.now += lives.ADVANCE_SECONDS + 3600
    assert states_of(await rotate.states()) == ["signing", "ending"]
    assert {key["kid"] for key in ring.jwks()["keys"]} == {first, new}
    clock.now += lives.OVERLAP_SECONDS - 3600
    assert {key["kid"] for key in ring.jwks()["keys"]} == {new}
    assert states_of(await rotate.states()) == ["signing", "over"]
    await rotate.rotate_when_due()
    assert [key["_id"] for key in await keys.all()] == [new]


async def test_the_schedule_makes_the_next_key_when_the_signing_one_is_old_enough(
    ring: KeyRing, rotate: KeyRotation, clock: Any
) -> None:
    clock.now += 30 * DAY_SECONDS - lives.SKEW_SECONDS - 1
    assert await rotate.rotate_when_due() is None
    clock.now += 2
    assert await rotate.rotate_when_due() is not None
    clock.now += DAY_SECONDS
    assert await rotate.rotate_when_due() is None
    assert states_of(await rotate.states()) == ["signing"]


async def test_a_key_that_waits_is_not_followed_by_another(
    ring: KeyRing, rotate: KeyRotation, keys: KeyRepository, clock: Any
) -> None:
    clock.now += 31 * DAY_SECONDS
    for _ in range(3):
        await rotate.rotate_when_due()
        clock.now += 60
    assert states_of(await rotate.states()) == ["waiting", "signing"]


async def test_workers_that_rotate_at_once_make_one_key(
    ring: KeyRing, rotate: KeyRotation, keys: KeyRepository, clock: Any
) -> None:
    clock.now += 31 * DAY_SECONDS
    made = await asyncio.gather(*(rotate.rotate_when_due() for _ in range(8)))
    assert len([kid for kid in made if kid]) == 1
    assert [key["number"] for key in await keys.all()] == [2, 1]


async def test_a_key_from_before_there_was_rotation_signs_on_and_is_followed(
    ring: KeyRing, rotate: KeyRotation, mongo: Mongo, clock: Any
) -> None:
    await mongo.db.signing_keys.update_many({}, {"$unset": {"signsFrom": ""}})
    first = ring.signing.kid
    await ring.load()
    assert ring.signing.kid == first
    clock.now += 31 * DAY_SECONDS
    assert await rotate.rotate_when_due()
    assert states_of(await rotate.states()) == ["waiting", "signing"]


async def test_commands_at_once_make_a_key_each(ring: KeyRing, rotate: KeyRotation, keys: KeyRepository) -> None:
    made = await asyncio.gather(*(rotate.rotate(OPERATOR) for _ in range(4)))
    assert [key["number"] for key in await keys.all()] == [5, 4, 3, 2, 1]
    assert len(set(made)) == 4


async def test_a_revoked_key_signs_no_more_is_not_published_and_its_private_part_is_gone(
    ring: KeyRing, rotate: KeyRotation, keys: KeyRepository
) -> None:
    leaked = ring.signing.kid
    new = await rotate.revoke(leaked, OPERATOR)
    await ring.load()
    assert ring.signing.kid == new
    assert [key["kid"] for key in ring.jwks()["keys"]] == [new]
    assert ["sealed" in key for key in await keys.all()] == [True, False]
    assert states_of(await rotate.states()) == ["signing", "revoked"]


async def test_a_process_whose_clock_is_behind_signs_with_the_key_made_in_place_of_a_revoked_one(
    ring: KeyRing, rotate: KeyRotation, clock: Any
) -> None:
    await rotate.rotate(OPERATOR)
    new = await rotate.revoke(ring.signing.kid, OPERATOR)
    clock.behind = lives.SKEW_SECONDS / 2
    await ring.load()
    assert ring.signing.kid == new


async def test_revoking_a_key_that_does_not_sign_makes_none(ring: KeyRing, rotate: KeyRotation) -> None:
    waiting = await rotate.rotate(OPERATOR)
    assert await rotate.revoke(waiting, OPERATOR) is None
    assert states_of(await rotate.states()) == ["revoked", "signing"]


async def test_revoking_an_unknown_key_or_one_twice_is_said(
    ring: KeyRing, rotate: KeyRotation, keys: KeyRepository
) -> None:
    with pytest.raises(NotFoundError, match="no key forged"):
        await rotate.revoke("forged", OPERATOR)
    leaked = ring.signing.kid
    await rotate.revoke(leaked, OPERATOR)
    with pytest.raises(ConflictError, match="revoked before"):
        await rotate.revoke(leaked, OPERATOR)
    assert len(await keys.all()) == 2


async def test_every_process_signs_with_the_new_key_as_soon_as_it_is_told(
    keys: KeyRepository, rotate: KeyRotation, redis: Redis, eventually: Eventually
) -> None:
    told = Revocations(redis, 600)
    other = KeyRing(keys, SEAL, told.key_revoked)
    await other.load()
    async with keep_running("follow", told.follow), keep_running("keys", other.follow):
        await asyncio.sleep(0)
        new = await rotate.revoke(other.signing.kid, OPERATOR)

        async def signs() -> bool:
            return other.signing.kid == new

        await eventually(signs)


async def test_what_an_operator_does_to_keys_is_in_the_audit_log(
    ring: KeyRing, rotate: KeyRotation, mongo: Mongo
) -> None:
    first = ring.signing.kid
    made = await rotate.rotate(OPERATOR)
    new = await rotate.revoke(first, OPERATOR)
    entries = await mongo.db.audit.find().sort("_id", 1).to_list()
    said = [(entry["event"], entry["details"]["kid"], entry["userAgent"]) for entry in entries]
    assert said == [
        ("key.made", made, "command line"),
        ("key.revoked", first, "command line"),
        ("key.made", new, "command line"),
    ]


async def test_a_key_that_another_process_made_meanwhile_is_counted(
    ring: KeyRing, keys: KeyRepository, rotate: KeyRotation, mongo: Mongo, revocations: Revocations
) -> None:
    class Overtaken(KeyRepository):
        overtaken = False

        async def all(self, session: Session | None = None) -> list[Document]:
            found = await super().all(session)
            if not self.overtaken:
                self.overtaken = True
                await rotate.rotate(OPERATOR)
            return found

    audit = AuditLog(AuditRepository(mongo.db))
    slower = KeyRotation(Overtaken(mongo.db), SEAL, mongo, audit, revocations, 30)
    made = await slower.rotate(OPERATOR)
    assert [key["number"] for key in await keys.all()] == [3, 2, 1]
    assert (await keys.all())[0]["_id"] == made


async def test_the_worker_looks_every_day_whether_it_is_time(
    container: AuthContainer, database: Database, settings: AuthSettings
) -> None:
    assert create_worker()._runtime.schedules["rotate_keys"] == "15 3 * * *"
    await rotate_keys(container)
    assert await database.signing_keys.count_documents({}) == 1
    long_ago = utc_now() - timedelta(days=settings.key_rotation_days)
    await database.signing_keys.update_many({}, {"$set": {"signsFrom": long_ago}})
    for _ in range(2):
        await rotate_keys(container)
    assert await database.signing_keys.count_documents({}) == 2
