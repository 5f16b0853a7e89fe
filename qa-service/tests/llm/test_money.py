"""What calls cost, and who may still start some."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Protocol

import httpx
import pytest
from bson import ObjectId

from intervai_shared.errors import TooManyRequestsError, UnavailableError
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session
from intervai_shared.query_checks import QueryChecks
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.jobs.repository import JobRepository
from qa_service.jobs.starter import JobStarter
from qa_service.llm.budgets import MICROS
from qa_service.llm.model import open_model
from qa_service.llm.options import DEFAULT_PRICES, UNKNOWN_PRICE, Price
from qa_service.llm.prices import PriceTable
from qa_service.llm.repository import SHARDS, CallJournal, HourRepository, SpendRepository
from qa_service.settings import QaSettings

Call = Callable[..., Awaitable[Any]]
Calls = Callable[[], Awaitable[list[Document]]]
TABLE = PriceTable(DEFAULT_PRICES, UNKNOWN_PRICE)


class Provider(Protocol):
    will: Callable[..., None]
    saying: Callable[..., Any]


class Starter(Protocol):
    def __call__(self, *, daily: float = 0, hourly: float = 0) -> JobStarter: ...


@pytest.fixture
def starter(container: QaContainer, settings: QaSettings) -> Starter:
    """Starts jobs under these budgets, in US dollars; a job of 4,000 tokens is reserved 0.0024."""

    def make(*, daily: float = 0, hourly: float = 0) -> JobStarter:
        changed = settings.model_copy(update={"llm_user_daily_usd": daily, "llm_hourly_usd": hourly})
        return JobStarter(container.resources, changed, JobRepository(container.resources.mongo.db))

    return make


@pytest.fixture
def add(container: QaContainer, user: ObjectId) -> Call:
    """Starts a job."""

    async def call(starter: JobStarter, owner: ObjectId = user, **fields: Any) -> Document:
        return await container.resources.outbox.transaction(lambda session: starter.add(session, owner, "k", **fields))

    return call


@pytest.mark.parametrize(
    ("models", "micros"),
    [
        (("gpt-4o-mini",), 750),
        (("gpt-4o-mini-2024-07-18",), 750),
        (("gpt-4o-2024-08-06",), 12_500),
        (("gpt-4.1-mini",), 2_000),
        (("intervai-offline-1", "gpt-4o"), 0),
        (("a-name-of-their-own", "gpt-4o-mini"), 750),
        (("nobody-knows-it",), 12_500),
    ],
)
def test_the_price_is_that_of_the_longest_name_that_fits(models: tuple[str, ...], micros: int) -> None:
    assert TABLE.cost_micros(1_000, 1_000, *models) == micros


def test_a_part_of_a_millionth_is_a_whole_one() -> None:
    assert TABLE.cost_micros(1, 0, "gpt-4o-mini") == 1
    assert PriceTable({"m": Price(input=0.1, output=0.2)}, UNKNOWN_PRICE).cost_micros(10, 10, "m") == 3


async def test_a_reply_is_charged_once_however_often_it_is_asked_for(ask: Call, calls: Calls) -> None:
    first = await ask()
    assert await ask() == first
    [entry] = await calls()
    # 7 tokens in, 5 out, of a model that answered under a name that nobody has priced.
    assert (entry["costMicros"], first.cost_micros) == (3 + 2, 5)


async def test_a_call_whose_process_was_taken_for_dead_is_charged_once(
    provider: Provider, ask: Call, calls: Calls
) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def late(_: Document) -> Any:
        asked.set()
        await may_answer.wait()
        return provider.saying("late")

    provider.will(late, provider.saying("in time"))
    first = asyncio.create_task(ask())
    await asked.wait()
    assert (await ask()).content == "in time"
    may_answer.set()
    await first
    assert [entry["state"] for entry in await calls()] == ["broken", "done"]


async def test_each_of_the_discarded_replies_is_charged(provider: Provider, ask: Call, calls: Calls) -> None:
    def check(content: str) -> None:
        if content != "good":
            raise ValueError(content)

    provider.will(*[provider.saying("bad")] * 2, provider.saying("good"))
    for _ in range(2):
        with pytest.raises(Exception, match=r"^$"):
            await ask(check=check)
    assert (await ask(check=check)).content == "good"
    entries = await calls()
    assert [entry["state"] for entry in entries] == ["invalid", "invalid", "done"]
    assert len({entry["_id"] for entry in entries}) == 3


async def test_a_kept_reply_that_was_never_looked_at_is_looked_at_by_the_next_attempt(
    ask: Call, calls: Calls, container: QaContainer
) -> None:
    """As after a kill between the booking and the check."""
    await ask()
    refused = []

    def check(content: str) -> None:
        if not refused:
            refused.append(content)
            raise ValueError(content)

    await ask(check=check)
    assert [entry["state"] for entry in await calls()] == ["invalid", "done"]


async def test_a_user_starts_jobs_until_the_budget_of_the_day_is_reserved(starter: Starter, add: Call) -> None:
    limited = starter(daily=0.005)
    first = await add(limited)
    assert first["estimateMicros"] == 2_400
    await add(limited)
    with pytest.raises(TooManyRequestsError) as refused:
        await add(limited)
    assert 0 < int(refused.value.headers["Retry-After"]) <= 24 * 3600
    await add(limited, ObjectId())
    await add(limited, estimate_tokens=0)


async def test_a_job_that_ends_gives_back_what_was_reserved_for_it(
    starter: Starter, add: Call, container: QaContainer, user: ObjectId
) -> None:
    limited = starter(daily=0.003)
    job = await add(limited)
    with pytest.raises(TooManyRequestsError):
        await add(limited)
    await container.jobs.cancel(user, job["_id"])
    await add(limited)


async def test_what_has_been_spent_today_counts(
    starter: Starter, add: Call, container: QaContainer, user: ObjectId
) -> None:
    mongo = container.resources.mongo
    await mongo.transaction(lambda session: SpendRepository(mongo.db).add(user, {"costMicros": 600}, session))
    await add(starter(daily=0.003))
    with pytest.raises(TooManyRequestsError):
        await add(starter(daily=0.0051))


async def test_what_was_spent_yesterday_does_not_count(
    starter: Starter, add: Call, container: QaContainer, user: ObjectId
) -> None:
    day = utc_now() - timedelta(days=1)
    yesterday = {"_id": f"{user}:{day:%Y-%m-%d}", "user": user, "day": day, "costMicros": MICROS}
    await container.resources.mongo.db.llm_spend.insert_one(yesterday)
    await add(starter(daily=0.003))


async def test_requests_at_the_same_time_do_not_pass_the_budget_together(starter: Starter, add: Call) -> None:
    limited = starter(daily=0.005)
    answers = await asyncio.gather(*[add(limited) for _ in range(6)], return_exceptions=True)
    assert sum(isinstance(answer, dict) for answer in answers) == 2
    assert {type(answer) for answer in answers if not isinstance(answer, dict)} == {TooManyRequestsError}


async def test_the_budget_of_the_hour_stops_everybody(starter: Starter, add: Call, container: QaContainer) -> None:
    mongo = container.resources.mongo
    await add(starter(hourly=0.01))
    for _ in range(5):
        await mongo.transaction(lambda session: HourRepository(mongo.db).add(0, {"costMicros": 2_000}, session))
    with pytest.raises(UnavailableError) as refused:
        await add(starter(hourly=0.012), ObjectId())
    assert 0 < int(refused.value.headers["Retry-After"]) <= 3600
    await add(starter(hourly=0.0125), ObjectId())


async def test_the_budget_is_there_when_rate_limits_are_switched_off(starter: Starter, add: Call) -> None:
    """The suite of the tests has RATE_LIMIT_SCALE=0."""
    with pytest.raises(TooManyRequestsError):
        await add(starter(daily=0.001))


async def test_a_budget_of_nothing_is_none(starter: Starter, add: Call) -> None:
    for _ in range(3):
        await add(starter(), estimate_tokens=10_000_000)


async def test_a_person_sees_what_they_have_spent_and_nobody_else_does(
    http: httpx.AsyncClient, person: Person, new_person: Any, container: QaContainer
) -> None:
    mongo, user = container.resources.mongo, ObjectId(person.tokens["user"]["id"])
    spent = {"calls": 2, "inputTokens": 7, "outputTokens": 5, "costMicros": 1_500}
    await mongo.transaction(lambda session: SpendRepository(mongo.db).add(user, spent, session))
    await mongo.transaction(lambda session: SpendRepository(mongo.db).add(ObjectId(), spent, session))
    answer = (await http.get("/api/v1/usage")).json()
    day = {"date": f"{utc_now():%Y-%m-%d}", "calls": 2, "inputTokens": 7, "outputTokens": 5, "costUsd": 0.0015}
    assert answer == {"today": day, "reservedUsd": 0, "budgetUsd": 2.0, "days": [day]}


async def test_who_has_spent_nothing_sees_so(http: httpx.AsyncClient) -> None:
    answer = (await http.get("/api/v1/usage")).json()
    assert answer["days"] == []
    assert answer["today"]["calls"] == 0
    assert answer["today"]["costUsd"] == 0


async def test_the_queries_of_the_journal(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo = container.resources.mongo
    journal, job = CallJournal(mongo.db), ObjectId()
    for name in ("a", "b", "c", "d"):
        await journal.begin(user, {"_id": name, "job": job, "step": name, "try": 0})
    await mongo.db.llm_calls.update_one({"_id": "d"}, {"$set": {"state": "failed"}})

    def within(body: Callable[[Session], Awaitable[Any]]) -> Awaitable[Any]:
        return mongo.transaction(body)

    await check_queries(
        CallJournal,
        user,
        {
            "of_step": lambda owner: journal.of_step(owner, job, "a"),
            "begin": lambda owner: journal.begin(owner, {"_id": str(owner), "job": job, "step": "z", "try": 0}),
            "again": lambda owner: journal.again(owner, "d"),
            "note": lambda owner: within(lambda session: journal.note(owner, "a", "x", session)),
            "settle": lambda owner: within(lambda session: journal.settle(owner, "a", {"state": "done"}, session)),
            "mark": lambda owner: journal.mark(owner, "a", "done", "invalid"),
            "forgotten": lambda _: journal.forgotten(utc_now() + timedelta(days=1), 10),
        },
        silent={"begin"},
        ownerless={"forgotten"},  # the sweep settles them for everybody
    )


async def test_the_queries_of_the_sums(check_queries: QueryChecks, container: QaContainer, user: ObjectId) -> None:
    mongo = container.resources.mongo
    spend, hours = SpendRepository(mongo.db), HourRepository(mongo.db)
    await mongo.transaction(lambda session: spend.add(user, {"calls": 1, "costMicros": 1}, session))
    await mongo.transaction(lambda session: hours.add(3, {"costMicros": 1}, session))
    await check_queries(
        SpendRepository,
        user,
        {
            "today": spend.today,
            "days": lambda owner: spend.days(owner, 30),
            "add": lambda owner: mongo.transaction(lambda session: spend.add(owner, {"costMicros": 1}, session)),
            "claim": lambda owner: mongo.transaction(lambda session: spend.claim(owner, session)),
        },
        silent={"add", "claim"},
    )
    await check_queries(
        HourRepository,
        user,
        {
            "spent_micros": lambda _: hours.spent_micros(),
            "add": lambda _: mongo.transaction(lambda session: hours.add(3, {"costMicros": 1}, session)),
            "shard": lambda _: hours.spent_micros(),
        },
        silent={"add"},
        ownerless={"add", "shard", "spent_micros"},  # it holds nothing of anybody
    )


async def test_calls_of_one_process_at_the_same_time_add_to_different_documents(container: QaContainer) -> None:
    hours = HourRepository(container.resources.mongo.db)
    with ExitStack() as stack:
        assert len({stack.enter_context(hours.shard()) for _ in range(SHARDS)}) == SHARDS
        stack.enter_context(hours.shard())  # one more than there are is no fault


async def test_a_call_that_nobody_comes_back_for_is_booked_after_an_hour(
    container: QaContainer, settings: QaSettings, user: ObjectId, calls: Calls
) -> None:
    db = container.resources.mongo.db
    journal, job = CallJournal(db), ObjectId()
    for name in ("old", "new"):
        told = {"askedModel": "gpt-4o-mini", "inputEstimate": 1_000}
        await journal.begin(user, {"_id": name, "job": job, "step": name, "try": 0, **told})
    await db.llm_calls.update_one({"_id": "old"}, {"$set": {"createdAt": utc_now() - timedelta(hours=2)}})
    async with open_model(settings, container.resources.mongo) as model:
        for _ in range(2):
            await model.settle_forgotten()
    assert {entry["_id"]: entry["state"] for entry in await calls()} == {"old": "broken", "new": "asked"}
    assert (await db.llm_spend.find_one({}))["costMicros"] == 150
