"""A person asks once to be erased, all services report, and the last report closes and signs the record."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import jwt
import pytest
from bson import ObjectId

from intervai_shared.auth import dependencies
from intervai_shared.models import Document
from intervai_shared.mongo import Database
from intervai_shared.testing import Person
from user_service.container import UserContainer
from user_service.events import ERASING_SERVICES

Happens = Callable[..., Awaitable[Document]]
ME = "/api/v1/users/me"


async def status(http: httpx.AsyncClient, receipt: str) -> dict[str, Any]:
    """Without a token, as somebody who has no account any more asks."""
    answer = await http.get(f"/api/v1/users/erasures/{receipt}", headers={"Authorization": ""})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_who_has_not_shown_of_late_who_they_are_is_asked_to(
    http: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "time", SimpleNamespace(time=lambda: time.time() + 301))
    refused = await http.delete(ME)
    assert refused.status_code == 401
    assert "insufficient_user_authentication" in refused.headers["www-authenticate"]
    assert await database.erasure_records.count_documents({}) == 0
    assert (await http.get("/api/v1/users/me/preferences")).status_code == 200


async def test_the_request_is_stored_with_its_event_and_the_token_is_dead(
    http: httpx.AsyncClient, database: Database, person: Person
) -> None:
    answer = await http.delete(ME)
    assert answer.status_code == 202
    started = answer.json()
    assert (started["status"], len(started["receipt"])) == ("queued", 43)
    assert (await http.get(ME)).status_code == 401
    [event] = await database.events.find({"type": "user.deleted"}).to_list()
    assert (str(event["aggregateId"]), event["data"]) == (started["jobId"], {"user": str(person.id)})
    [record] = await database.erasure_records.find().to_list()
    assert started["receipt"] not in str(record)
    shown = await status(http, started["receipt"])
    assert (shown["id"], shown["status"], shown["reports"]) == (started["jobId"], "queued", {})
    assert shown["waitingFor"] == list(ERASING_SERVICES)
    assert "user" not in shown


async def test_who_asks_again_gets_the_same_receipt_and_is_erased_once(
    user_app: tuple[httpx.AsyncClient, UserContainer], database: Database, person: Person
) -> None:
    requests = user_app[1].erasure_requests
    answers = await asyncio.gather(*(requests.request(person.id) for _ in range(5)))
    assert len({(answer["jobId"], answer["receipt"]) for answer in answers}) == 1
    assert await database.events.count_documents({"type": "user.deleted"}) == 1
    assert await database.outbox.count_documents({"name": "user.deleted"}) == 1


async def test_reports_close_the_record_in_whatever_order_and_at_whatever_time_they_come(
    http: httpx.AsyncClient, happens: Happens
) -> None:
    started = (await http.delete(ME)).json()
    counts = {service: {"things": number} for number, service in enumerate(ERASING_SERVICES)}

    async def report(service: str) -> None:
        told = {"erasureId": started["jobId"], "service": service, "counts": counts[service]}
        await happens("user.erased", ObjectId(), **told)

    await report("qa-service")
    shown = await status(http, started["receipt"])
    assert (shown["status"], shown["record"]) == ("running", None)
    assert "qa-service" not in shown["waitingFor"]
    await asyncio.gather(*(report(service) for service in ERASING_SERVICES if service != "qa-service"))
    done = await status(http, started["receipt"])
    assert (done["status"], done["waitingFor"], done["reports"]) == ("succeeded", [], counts)
    [key] = jwt.PyJWKSet.from_dict((await http.get("/api/v1/users/erasures/keys")).json()).keys
    claims = jwt.decode(done["record"], key, algorithms=["EdDSA"])
    assert (claims["erasureId"], claims["reports"]) == (started["jobId"], counts)


async def test_a_second_report_of_a_service_changes_nothing(http: httpx.AsyncClient, happens: Happens) -> None:
    started = (await http.delete(ME)).json()
    for count in (1, 2):
        told = {"erasureId": started["jobId"], "service": "qa-service", "counts": {"things": count}}
        await happens("user.erased", ObjectId(), **told)
    assert (await status(http, started["receipt"]))["reports"] == {"qa-service": {"things": 1}}


async def test_a_report_of_an_erasure_that_nobody_knows_is_passed_over(happens: Happens, database: Database) -> None:
    await happens("user.erased", ObjectId(), erasureId=str(ObjectId()), service="qa-service", counts={})
    assert await database.erasure_records.count_documents({}) == 0


async def test_a_registration_that_arrives_after_the_erasure_makes_no_profile(
    user_app: tuple[httpx.AsyncClient, UserContainer], happens: Happens, database: Database, person: Person
) -> None:
    await happens("user.deleted", ObjectId(), user=str(person.id))
    late = {"email": person.email, "fullName": "Ada", "user": str(person.id)}
    await happens("user.registered", person.id, **late)
    assert await database.profiles.count_documents({}) == 0
    await user_app[1].erasures.run(person.id)
    [record] = await database.erasures.find().to_list()
    assert (record["_id"], record["status"], record["counts"]) == (person.id, "succeeded", {})


@pytest.mark.parametrize("receipt", ["A" * 43, "A" * 42, "..%2Fme", "$ne"])
async def test_a_receipt_that_is_none_opens_nothing(http: httpx.AsyncClient, receipt: str) -> None:
    answer = await http.get(f"/api/v1/users/erasures/{receipt}", headers={"Authorization": ""})
    assert answer.status_code in {401, 404, 422}
