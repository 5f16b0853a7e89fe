"""Whom the weekly letter is posted to: each who wants it, once a week, however often the work is done."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from bson import ObjectId
from pydantic import ValidationError
from pymongo.asynchronous.collection import AsyncCollection

from auth_service.container import AuthContainer
from auth_service.settings import AuthSettings
from auth_service.weekly_review.repository import SubscriberRepository
from auth_service.weekly_review.service import ACTOR, WeeklyReviews, letter_id, week_of
from auth_service.worker import create_worker
from intervai_shared.messaging.broker import in_bulk
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Database

WEEK = "2026-W49"
#: Makes the posting of weekly letters with so many people on a page.
Posting = Callable[..., WeeklyReviews]


def account(**fields: Any) -> Document:
    """Of somebody who gets the letter, but for what the fields say."""
    user, now = ObjectId(), utc_now()
    mail = {"newDevice": True, "weeklyReview": True, "sequence": 1}
    own = {"email": f"{user}@example.com", "emailKey": f"{user}@example.com", "emailVerifiedAt": now}
    return {"_id": user, **own, "roles": ["user"], "mail": mail, "createdAt": now, "updatedAt": now, **fields}


async def people(database: Database, count: int) -> list[ObjectId]:
    made = [account() for _ in range(count)]
    await database.accounts.insert_many(made)
    return sorted(each["_id"] for each in made)


async def walk(posting: Posting, database: Database, week: str = WEEK, page: int = 100) -> int:
    """Does what the worker does with the pages of a week; how many there were."""
    reviews, walked = posting(page), 1
    await reviews.post(week)
    while job := await database.outbox.find_one({"name": in_bulk(ACTOR)}):
        await database.outbox.delete_one({"_id": job["_id"]})
        asked_week, after = job["args"]
        await reviews.post(asked_week, ObjectId(after))
        walked += 1
    return walked


async def posted_to(database: Database) -> list[ObjectId]:
    return sorted(letter["user"] for letter in await database.letters.find({"kind": "weekly-review"}).to_list())


async def test_everybody_who_wants_it_has_one_letter_a_week_page_by_page(posting: Posting, database: Database) -> None:
    wanting = await people(database, 7)
    assert await walk(posting, database, page=3) == 3
    assert await posted_to(database) == wanting
    assert await walk(posting, database, page=3) == 3
    assert await posted_to(database) == wanting
    jobs = await database.outbox.find({"queue": "letters.bulk", "name": "send_letter.bulk"}).to_list()
    assert sorted(job["args"][0] for job in jobs) == sorted(str(letter_id(user, WEEK)) for user in wanting)
    await walk(posting, database, "2026-W50")
    assert await posted_to(database) == sorted(wanting * 2)


async def test_runs_beside_each_other_post_no_letter_twice(posting: Posting, database: Database) -> None:
    wanting = await people(database, 20)
    await asyncio.gather(*(walk(posting, database, page=6) for _ in range(4)))
    assert await posted_to(database) == wanting
    assert await database.outbox.count_documents({"name": "send_letter.bulk"}) == len(wanting)


async def test_a_later_run_mends_what_one_that_died_has_left_out(posting: Posting, database: Database) -> None:
    wanting = await people(database, 5)
    await posting(2).post(WEEK)
    await database.outbox.delete_many({"name": in_bulk(ACTOR)})  # its next page never came
    assert len(await posted_to(database)) == 2
    await walk(posting, database, page=2)
    assert await posted_to(database) == wanting


async def test_nobody_else_has_one_and_the_address_is_not_copied(posting: Posting, database: Database) -> None:
    wanted = account()
    others = [
        account(mail={"newDevice": True, "weeklyReview": False, "sequence": 2}),
        account(emailVerifiedAt=None),
        account(lockedAt=utc_now()),
    ]
    never_asked = account()
    del never_asked["mail"]
    await database.accounts.insert_many([wanted, never_asked, *others])
    await walk(posting, database)
    (letter,) = await database.letters.find({}).to_list()
    assert (letter["user"], letter["to"], letter["data"]) == (wanted["_id"], None, {})


async def test_the_page_is_read_by_an_index_of_who_wants_the_letter(
    container: AuthContainer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.accounts.insert_many([account(mail={"weeklyReview": n % 50 == 0}) for n in range(300)])
    asked: list[Document] = []
    find = AsyncCollection.find

    def noted(self: AsyncCollection[Document], where: Document, *args: Any, **options: Any) -> Any:
        asked.append(where)
        return find(self, where, *args, **options)

    monkeypatch.setattr(AsyncCollection, "find", noted)
    subscribers = SubscriberRepository(container.resources.mongo.db)
    for after in (None, ObjectId(b"\0" * 12)):
        found = await container.resources.mongo.transaction(partial(subscribers.page, after, 100))
        assert len(found) == 6
    for where in asked:
        command = {"find": "accounts", "filter": where, "sort": {"_id": 1}, "limit": 100}
        plan = await database.command("explain", command, verbosity="executionStats")
        assert 0 < plan["executionStats"]["totalDocsExamined"] <= 10, plan


def test_the_worker_has_the_actors_that_are_sent_to_and_the_schedule(own_database: str) -> None:
    worker = create_worker()
    assert {in_bulk(ACTOR), in_bulk("send_letter")} <= worker._broker.actors.keys()
    assert worker._runtime.schedules["send_weekly_reviews"] == worker.settings.weekly_review_cron == "0 6 * * mon"


@pytest.mark.parametrize(
    ("day", "week"),
    [((2026, 11, 30), "2026-W49"), ((2026, 12, 6), "2026-W49"), ((2027, 1, 3), "2026-W53"), ((2027, 1, 4), "2027-W01")],
)
def test_a_week_is_that_of_iso_8601(day: tuple[int, int, int], week: str) -> None:
    assert week_of(datetime(*day, 23, 59, tzinfo=UTC)) == week


@pytest.mark.parametrize(
    "cron", ["every monday", "0 6 * * 1", "0 6 * *", "99 6 * * mon", "0 6 * * moonday", "0 0 6 * * mon"]
)
def test_a_schedule_that_would_not_be_what_it_seems_stops_the_start(own_database: str, cron: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        AuthSettings(weekly_review_cron=cron)
    assert [error["loc"] for error in wrong.value.errors()] == [("weekly_review_cron",)]


@pytest.mark.parametrize("cron", ["0 6 * * mon", "30 17 * * sun,fri", "0 6 1 * *"])
def test_other_schedules_may_be_set(own_database: str, cron: str) -> None:
    assert AuthSettings(weekly_review_cron=cron).weekly_review_cron == cron
