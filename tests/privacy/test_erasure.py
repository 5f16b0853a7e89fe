"""Nothing of an erased person is left in any store, and of the others nothing is missing."""

import os
import subprocess
import sys
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId
from pymongo import MongoClient

from intervai_shared.testing import NewPerson, Person
from tests.e2e.support import start_session
from tests.privacy.plant import PASSWORD, Planted, plant, until
from tests.privacy.search import events_with, expires, log_files_with, places_of
from tests.privacy.support import SERVICES, erase, erased

#: A read of each service that a signed-in person may do.
READS = ("/api/v1/auth/sessions", "/api/v1/users/me", "/api/v1/sessions", "/api/v1/exports")


async def test_nothing_of_an_erased_person_is_left_anywhere(gateway: httpx.AsyncClient) -> None:
    planted, other = await plant(gateway), await plant(gateway)
    await data_file(planted)
    before = places_of(*planted.canaries.values(), *other.canaries.values())
    assert [where for where, text in planted.canaries.items() if not before[text]] == []
    stores = {place.split()[0] for places in before.values() for place in places}
    assert stores == {"mongo", "redis", "s3"}
    running = await start_session(planted.person, ["SQL"], 50)
    started = await erase(planted.person)
    done = await erased(gateway, started["receipt"])
    assert done["id"] == started["jobId"]
    assert set(done["reports"]) == SERVICES
    assert done["waitingFor"] == []
    assert done["reports"]["auth-service"]["accounts"] == 1
    assert done["reports"]["export-service"]["exports"] == 2
    assert done["reports"]["qa-service"]["sessions"] == 2
    after = places_of(*planted.canaries.values(), *other.canaries.values(), running["id"])
    assert {where: after[text] for where, text in planted.canaries.items() if after[text]} == {}
    assert after[running["id"]] <= {"mongo intervai_qa.outbox"}
    assert [where for where, text in other.canaries.items() if after[text] != before[text]] == []
    assert log_files_with(planted.person.email) == []
    assert_only_the_bare_id_remains(str(planted.person.id))


async def test_an_erased_person_is_out_at_once_and_may_come_again(gateway: httpx.AsyncClient, person: Person) -> None:
    for path in READS:
        await until(person.http, path, lambda answer: answer.status_code == 200)
    started = await erase(person)
    for path in READS:
        gone = await until(person.http, path, lambda answer: answer.status_code == 401, 5)
        assert gone.headers["content-type"] == "application/problem+json"
    await erased(gateway, started["receipt"])
    refresh = {"refreshToken": person.tokens["refreshToken"]}
    assert (await gateway.post("/api/v1/auth/refresh", json=refresh)).status_code == 401
    account = {"email": person.email, "password": PASSWORD}
    assert (await gateway.post("/api/v1/auth/login", json=account)).status_code == 401
    again = await gateway.post("/api/v1/auth/register", json={**account, "fullName": "Ada"})
    assert again.status_code == 201
    headers = {"Authorization": f"Bearer {again.json()['accessToken']}"}
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers) as http:
        profile = await until(http, "/api/v1/users/me", lambda answer: answer.status_code == 200)
        assert profile.json()["id"] != str(person.id)


async def test_the_record_is_signed_and_anybody_can_check_it(gateway: httpx.AsyncClient, person: Person) -> None:
    started = await erase(person)
    done = await erased(gateway, started["receipt"])
    keys = await gateway.get("/api/v1/users/erasures/keys")
    assert keys.headers["cache-control"].startswith("public, max-age=")
    [key] = jwt.PyJWKSet.from_dict(keys.json()).keys
    header = jwt.get_unverified_header(done["record"])
    assert (header["kid"], header["typ"], header["alg"]) == (key.key_id, "erasure+jwt", "EdDSA")
    claims = jwt.decode(done["record"], key, algorithms=["EdDSA"])
    assert claims["erasureId"] == started["jobId"]
    assert claims["reports"] == done["reports"]
    assert str(person.id) not in str(claims)
    assert person.email not in str(claims)
    head, body, signature = done["record"].split(".")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(f"{head}.{body[:-4]}AAAA.{signature}", key, algorithms=["EdDSA"])


async def test_who_has_no_receipt_learns_nothing(gateway: httpx.AsyncClient) -> None:
    for receipt in ("A" * 43, "a", "keys/x", str(ObjectId())):
        answer = await gateway.get(f"/api/v1/users/erasures/{receipt}")
        assert answer.status_code in {401, 404, 422}, receipt
        assert answer.headers["content-type"] == "application/problem+json"


async def data_file(planted: Planted) -> None:
    await until(planted.person.http, "/api/v1/users/me/data", lambda answer: answer.status_code == 200)


def assert_only_the_bare_id_remains(user: str) -> None:
    """In what says that the person was erased; and in keys of Redis that end by themselves."""
    [places] = places_of(user).values()
    kept = {place.rpartition(".")[2] for place in places if place.startswith("mongo ")}
    assert kept == {"erasures", "erasure_records", "events", "outbox"}
    assert {event["type"] for event in events_with(user)} == {"user.deleted"}
    keys = {place.removeprefix("redis ") for place in places if place.startswith("redis ")}
    assert [key for key in keys - {"intervai:revocations"} if not expires(key)] == []
    assert [place for place in places if place.startswith("s3 ")] == []


async def test_who_comes_back_with_a_backup_is_erased_again_and_the_receipt_is_good_again(
    gateway: httpx.AsyncClient, new_person: NewPerson
) -> None:
    erased_once, stays = await new_person(), await new_person()
    started = await erase(erased_once)
    await erased(gateway, started["receipt"])
    assert str(erased_once.id) in tombstones("list").split()
    forget_erasure(erased_once.id)
    assert (await gateway.get(f"/api/v1/users/erasures/{started['receipt']}")).status_code == 404
    assert tombstones("again", f"{erased_once.id}\n") == f"{erased_once.id} is erased again\n"
    done = await erased(gateway, started["receipt"])
    assert done["reports"]["user-service"] == {"profiles": 1}
    assert tombstones("again", f"{erased_once.id}\n") == ""
    assert (await stays.http.get("/api/v1/sessions")).status_code == 200


def tombstones(command: str, text: str = "") -> str:
    """What the operators' command writes, with the settings of user-service."""
    program = [sys.executable, "-m", "user_service.privacy", command]
    runner = [sys.executable, "-m", "intervai_local", "with", "--service", "user-service", "--", *program]
    done = subprocess.run(runner, input=text, capture_output=True, text=True, check=True)
    return done.stdout


def forget_erasure(user: ObjectId) -> None:
    """As a restore of databases from before the erasure does."""
    with MongoClient[Any](os.environ["MONGO_URI"]) as client:
        client.intervai_user.erasure_records.delete_one({"user": user})
        client.intervai_user.profiles.insert_one({"_id": user, "fullName": "back again"})
        for service in ("auth", "user", "qa", "export"):
            client[f"intervai_{service}"].erasures.delete_one({"_id": user})
