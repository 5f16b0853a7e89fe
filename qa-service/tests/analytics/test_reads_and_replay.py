"""Answers come from the projections alone, by an index and in few round trips; a replay from the log gives the same."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from intervai_shared.errors import NotFoundError
from intervai_shared.messaging.events.catalogue import Event, wire
from intervai_shared.messaging.events.projections import View
from intervai_shared.messaging.events.replay import Replay
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.mongo import Session
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.privacy.events import UserDeletion
from intervai_shared.query_checks import QueryChecks, Recorder
from intervai_shared.resources import Resources
from qa_service.analytics.progress_projection import PROGRESS
from qa_service.analytics.progress_repository import ProgressReader, ProgressWriter, scored
from qa_service.analytics.progress_service import ProgressService, open_progress
from qa_service.events import EVENTS, AnswerGraded, QuestionReviewed, QuestionsGenerated, SessionCreated
from qa_service.privacy.holdings import HOLDINGS

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def write(resources: Resources, user: ObjectId) -> Call:
    """Writes an event of the user into the log, as those do who cause it."""

    async def add(aggregate: ObjectId, kind: type[Event], **data: Any) -> None:
        event = kind.model_validate({"user": user, **data})

        async def log(session: Session) -> None:
            await resources.outbox.add_event(session, aggregate, event)

        await resources.mongo.transaction(log)

    return add


@pytest.fixture
def week(write: Call) -> Callable[[ObjectId], Awaitable[None]]:
    """Writes what a person does in a session."""

    async def happens(session: ObjectId) -> None:
        group = {"category": "SQL", "difficulty": "easy", "count": 2}
        await write(session, SessionCreated, role="Engineer", topics=["SQL"])
        await write(session, QuestionsGenerated, jobId=ObjectId(), count=2, groups=[group])
        for score in (30, 60, 90):
            graded = {"attempt": ObjectId(), "score": score, "category": "SQL", "difficulty": "easy"}
            await write(ObjectId(), AnswerGraded, session=session, **graded)
        await write(ObjectId(), QuestionReviewed, session=session, rating=3, category="SQL")

    return happens


@pytest.fixture
def deliver(resources: Resources, inbox: Inbox) -> Callable[[], Awaitable[None]]:
    """Brings everything that is in the log to the projections, as queues do."""

    async def all_of_it() -> None:
        async for stored in resources.mongo.db.events.find():
            await inbox.apply(wire(stored))

    return all_of_it


async def test_answers_read_nothing_but_the_projection_and_in_few_round_trips(
    recorder: Recorder, progress: ProgressService, history: Any, user: ObjectId
) -> None:
    session = ObjectId()
    await history.answers(session, 50, 70)
    recorder.commands.clear()
    assert (await progress.mine(user)).totals.attempts == 2
    assert asked(recorder) == ["progress_days", "progress_sessions", "progress_topics", "projections"]
    recorder.commands.clear()
    assert (await progress.session(user, session)).scores.attempts == 2
    assert asked(recorder) == ["progress_sessions", "projections"]


def asked(recorder: Recorder) -> list[str]:
    """The collections that were asked, once for each time."""
    return sorted(str(next(iter(command.values()))) for command in recorder.commands)


async def test_the_queries_of_progress(check_queries: QueryChecks, resources: Resources, user: ObjectId) -> None:
    view, mongo, session = View(resources.mongo.db, ""), resources.mongo, ObjectId()
    queries = {
        "count_day": lambda w, u: w.count_day(u, "2026-11-27", scored(50)),
        "count_topic": lambda w, u: w.count_topic(u, "SQL", 50, "2026-11-27T09:30:00.000000+00:00", str(ObjectId())),
        "count_session": lambda w, u: w.count_session(u, str(session if u == user else ObjectId()), scored(50)),
    }

    def written(query: Any) -> Any:
        return lambda u: mongo.transaction(lambda t: query(ProgressWriter(view, t), u))

    writes = {name: written(query) for name, query in queries.items()}
    await check_queries(ProgressWriter, user, writes, silent=set(queries))
    reader, day = ProgressReader(view), date(2026, 11, 27)
    reads = {
        "sessions": reader.sessions,
        "topics": reader.topics,
        "days": lambda u: reader.days(u, day, day),
        "session": lambda u: reader.session(u, session),
    }
    await check_queries(ProgressReader, user, reads)
    with pytest.raises(DuplicateKeyError):  # an event of another's session, which none of our events is
        await mongo.transaction(lambda t: ProgressWriter(view, t).count_session(ObjectId(), str(session), scored(1)))


async def test_a_replay_builds_the_same_answers_from_the_log_alone(
    resources: Resources, week: Call, deliver: Call, user: ObjectId
) -> None:
    session, progress = ObjectId(), open_progress(resources)
    await week(session)
    await deliver()
    before = await progress.mine(user), await progress.session(user, session)
    assert (before[0].totals.attempts, before[1].questions.total) == (3, 2)
    for name in PROGRESS.indexes:
        await resources.mongo.db[name].delete_many({})
    with pytest.raises(NotFoundError):
        await progress.session(user, session)
    replay = Replay(resources.mongo, EVENTS, PROGRESS)
    await replay.run()
    assert replay.applied == 6
    assert (await progress.mine(user), await progress.session(user, session)) == before


async def test_what_happens_while_a_replay_runs_is_counted_once(
    resources: Resources, week: Call, deliver: Call, user: ObjectId
) -> None:
    sessions, progress = [ObjectId() for _ in range(6)], open_progress(resources)
    await week(sessions[0])
    await deliver()

    async def goes_on() -> None:
        for session in sessions[1:]:
            await week(session)
            await deliver()

    await asyncio.gather(goes_on(), *[_replayed(resources) for _ in range(2)])
    await deliver()
    totals = (await progress.mine(user)).totals
    assert (totals.sessions, totals.questions, totals.attempts, totals.reviews) == (6, 12, 18, 6)
    for session in sessions:
        assert (await progress.session(user, session)).scores.attempts == 3


async def test_an_erasure_leaves_nothing_of_a_person_in_any_generation(
    resources: Resources, week: Call, deliver: Call, history_of: Any, as_wire: Any, now: Any, user: ObjectId
) -> None:
    other, erasures, db = ObjectId(), Erasures(resources, HOLDINGS), resources.mongo.db
    await week(ObjectId())
    await deliver()
    await history_of(other).answers(ObjectId(), 50)
    await Replay(resources.mongo, EVENTS, PROGRESS).run()  # the old generation stays until the next
    await history_of(other).answers(ObjectId(), 50)
    wish = as_wire(ObjectId(), UserDeletion(user=user), now)
    await resources.mongo.transaction(lambda session: erasures.begin(wish, session))
    await erasures.run(user)
    ours = [name for name in await db.list_collection_names() if name.partition(".")[0] in PROGRESS.indexes]
    assert len(ours) == 6
    kept = {name: [found["user"] async for found in db[name].find()] for name in ours}
    assert all(set(users) == {other} for users in kept.values()), kept


async def _replayed(resources: Resources) -> None:
    """Two at a time: one is refused."""
    try:
        await Replay(resources.mongo, EVENTS, PROGRESS).run()
    except Exception as error:
        assert "another replay" in str(error)  # noqa: PT017  the one that came second
