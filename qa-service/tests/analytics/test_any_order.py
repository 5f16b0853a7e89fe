"""Whatever happens, and in whichever order it is told, the answers are those of a plain model that knows it all."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymongo.errors import PyMongoError

from intervai_shared.errors import NotFoundError
from intervai_shared.messaging.events.projections import View
from intervai_shared.messaging.inbox import Inbox
from intervai_shared.models import Document
from intervai_shared.mongo import Session
from intervai_shared.resources import Resources
from qa_service.analytics.progress_projection import PROGRESS
from qa_service.analytics.progress_service import ProgressService
from qa_service.analytics.schemas import MyAnalytics, SessionAnalytics
from qa_service.events import EVENTS

#: Among them names that would break a path of a Mongo document, or be taken for something else in one.
TOPICS = ["SQL", "a.b", "$set", "%2E", "0", "", "naïve café ☕"]
LEVELS = ["easy", "medium", "hard"]
TYPES = {event.TYPE: event for event in EVENTS}
#: Beside these each event has what all need: when, whose, in which session. Numbers become ids, see `as_told`.
GROUP = st.fixed_dictionaries({"category": st.sampled_from(TOPICS), "difficulty": st.sampled_from(LEVELS),
                               "count": st.integers(1, 4)})  # fmt: skip
GROUPS, NUMBER, SCORE = st.lists(GROUP, max_size=3), st.integers(0, 2), st.integers(0, 100)
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "session.created": {"role": st.just("Engineer"), "topics": st.just([])},
    "session.deleted": {},
    "questions.generated": {"jobId": NUMBER, "groups": GROUPS},
    "questions.added": {"groups": GROUPS},
    "questions.deleted": {"groups": GROUPS, "questions": st.lists(NUMBER, max_size=2)},
    "answer.graded": {"attempt": NUMBER, "score": SCORE, "category": st.sampled_from(TOPICS),
                      "difficulty": st.sampled_from(LEVELS)},
    "question.reviewed": {"rating": st.integers(1, 4), "category": st.sampled_from(TOPICS)},
    "interview.completed": {"score": st.none() | SCORE, "answered": st.integers(0, 9)},
}  # fmt: skip
HAPPENED = st.one_of([
    st.tuples(st.just(kind), NUMBER, NUMBER, st.integers(0, 150), st.fixed_dictionaries(fields))
    for kind, fields in [*FIELDS.items(), *[("answer.graded", FIELDS["answer.graded"])] * 3]
])  # fmt: skip
#: Without shrinking, which would take minutes: the examples are small.
CHECKS = [HealthCheck.function_scoped_fixture]
FEW = settings(max_examples=100, deadline=None, phases=[Phase.generate], suppress_health_check=CHECKS)


class Model:
    """Counts a list of events, as queues bring them. They may be in any order."""

    def __init__(self, told: list[Document]) -> None:
        self.told = told

    def only(self, keep: Callable[[Document], bool]) -> "Model":
        return Model([event for event in self.told if keep(event)])

    def of(self, *types: str) -> list[Document]:
        return [event for event in self.told if event["type"] in types]

    @property
    def answers(self) -> list[Document]:
        return self.of("answer.graded")

    def scores(self) -> Document:
        scores = [event["data"]["score"] for event in self.answers]
        return {"attempts": len(scores), "mean_score": mean(scores), "best_score": max(scores, default=None)}

    def done(self) -> Document:
        return {"reviews": len(self.of("question.reviewed")), "interviews": len(self.of("interview.completed"))}

    def by_day(self, figures: Callable[["Model"], Document], *types: str) -> list[Document]:
        days = sorted({day_of(event) for event in self.of(*types)})
        return [
            {"day": day, **figures(self.only(lambda event, day=day: day_of(event) == day))}  # type: ignore[misc]
            for day in days
        ]

    def by_topic(self, figures: Callable[["Model"], Document]) -> dict[str, Document]:
        topics = {event["data"]["category"] for event in self.answers}
        return {
            topic: figures(self.only(lambda event, topic=topic: event["data"].get("category") == topic))  # type: ignore[misc]
            for topic in topics
        }

    def activity(self) -> Document:
        return {key: value for key, value in (self.scores() | self.done()).items() if key != "best_score"}

    def day_scores(self) -> Document:
        return {key: value for key, value in self.scores().items() if key != "best_score"}

    def of_topic(self) -> Document:
        ordered = [event["data"]["score"] for event in sorted(self.answers, key=lambda e: (e["occurredAt"], e["id"]))]
        recent, before = ordered[-5:], ordered[:-5]
        trend = round(sum(recent) / len(recent) - sum(before) / len(before), 1) if before else None
        days = self.by_day(Model.day_scores, "answer.graded")
        return {**self.scores(), "recent_mean": mean(recent), "trend": trend, "days": days}

    def questions(self) -> int:
        kept = self.of("questions.generated", "questions.added")
        return sum(e["data"]["count"] for e in kept) - sum(e["data"]["count"] for e in self.of("questions.deleted"))

    def grouped(self, name: str) -> dict[str, int]:
        counts = Counter[str]()
        for event in self.of("questions.generated", "questions.added", "questions.deleted"):
            for group in event["data"]["groups"]:
                counts[group[name]] += -group["count"] if event["type"] == "questions.deleted" else group["count"]
        return dict(+counts)

    def progress(self) -> tuple[int, int]:
        """Questions that were practised and are still there, and those of them that were answered well."""
        gone = {question for event in self.of("questions.deleted") for question in event["data"]["questions"]}
        there = [event for event in self.answers if event["aggregateId"] not in gone]
        well = {event["aggregateId"] for event in there if event["data"]["score"] >= 65}
        return len({event["aggregateId"] for event in there}), len(well)

    def sessions(self) -> dict[str, "Model"]:
        """Those that are not deleted."""
        deleted = {event["aggregateId"] for event in self.of("session.deleted")}
        ids = {session_of(event) for event in self.told} - deleted
        return {name: self.only(lambda event, name=name: session_of(event) == name) for name in ids}  # type: ignore[misc]

    def mine(self) -> Document:
        there = self.sessions()
        questions = max(0, sum(session.questions() for session in there.values()))
        days = self.by_day(Model.activity, "answer.graded", "question.reviewed", "interview.completed")
        return {
            "totals": {**self.scores(), **self.done(), "sessions": len(there), "questions": questions},
            "topics": self.by_topic(Model.of_topic),
            "days": days,
        }

    def session(self) -> Document:
        shown = [kind for kind in FIELDS if kind not in {"session.created", "session.deleted", "questions.deleted"}]
        came = lambda day: {**day.activity(), "questions": Model(day.of(*shown)).questions()}  # noqa: E731
        return {
            "total": max(0, self.questions()),
            "by_difficulty": self.grouped("difficulty"),
            "by_category": self.grouped("category"),
            "progress": self.progress(),
            "scores": self.scores(),
            "topics": self.by_topic(Model.scores),
            "days": self.by_day(came, *shown),
        }


def mean(values: list[int]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None


def day_of(event: Document) -> date:
    return datetime.fromisoformat(event["occurredAt"]).date()


def session_of(event: Document) -> str:
    return str(event["data"].get("session", event["aggregateId"]))


def shape_of_mine(answer: MyAnalytics) -> Document:
    shown = answer.model_dump(include={"totals", "topics", "days"})
    return {**shown, "topics": {topic.pop("topic"): topic for topic in shown["topics"]}}


def shape_of_session(answer: SessionAnalytics) -> Document:
    shown = answer.model_dump()
    counted = {name: {group["name"]: group["count"] for group in shown["questions"][name]}
               for name in ("by_difficulty", "by_category")}  # fmt: skip
    return {
        "total": shown["questions"]["total"],
        **counted,
        "progress": (answer.progress.practised, answer.progress.good),
        "scores": shown["scores"],
        "topics": {topic.pop("topic"): topic for topic in shown["topics"]},
        "days": shown["days"],
    }


@pytest.fixture
def as_told(as_wire: Callable[..., Document], now: datetime) -> Callable[..., list[Document]]:
    """Events of a user, as queues bring them."""

    def make(user: ObjectId, happened: list[tuple[str, int, int, int, Document]]) -> list[Document]:
        sessions, questions = ([ObjectId() for _ in range(3)] for _ in range(2))
        told = []
        for kind, session, question, hours_ago, fields in happened:
            data = {**fields, "user": user}
            if "groups" in data:
                data["count"] = sum(group["count"] for group in data["groups"])
            for name in {"jobId", "attempt"} & data.keys():
                data[name] = ObjectId()
            if "questions" in data:
                data["questions"] = [questions[number] for number in data["questions"]]
            aggregate = {"session": sessions[session], "question": questions[question], "interview": ObjectId()}
            event = TYPES[kind]
            if event.AGGREGATE != "session":
                data["session"] = sessions[session]
            made = event.model_validate(data)
            told.append(as_wire(aggregate[event.AGGREGATE], made, now - timedelta(hours=hours_ago)))
        return told

    return make


@FEW
@given(happened=st.lists(HAPPENED, max_size=25), order=st.randoms(use_true_random=False))
async def test_the_answers_are_those_of_a_model_that_knows_all(
    happened: list[Any], order: random.Random, resources: Resources, progress: ProgressService, as_told: Any
) -> None:
    user = ObjectId()
    told = as_told(user, happened)
    order.shuffle(told)

    async def apply_all(session: Session) -> None:
        for event in told:
            await PROGRESS.handlers[event["type"]](event, View(resources.mongo.db, ""), session)

    await resources.mongo.transaction(apply_all)
    model = Model(told)
    assert shape_of_mine(await progress.mine(user)) == model.mine()
    there = model.sessions()
    for name, session in there.items():
        assert shape_of_session(await progress.session(user, ObjectId(name))) == session.session()
    for name in {session_of(event) for event in told} - there.keys():
        with pytest.raises(NotFoundError):
            await progress.session(user, ObjectId(name))


async def test_events_that_several_workers_apply_at_a_time_and_again_are_counted_once_each(
    inbox: Inbox, progress: ProgressService, user: ObjectId, as_told: Any
) -> None:
    graded = {"attempt": 0, "category": "SQL", "difficulty": "easy"}
    told = as_told(user, [("answer.graded", 0, 0, 0, {**graded, "score": score}) for score in range(5)])
    await asyncio.gather(*[brought(inbox, event) for event in told + told])
    assert shape_of_mine(await progress.mine(user)) == Model(told).mine()


async def brought(inbox: Inbox, event: Document) -> None:
    """As a queue brings it: again when it has failed, which on a busy machine conflicting transactions may."""
    for _ in range(5):
        try:
            return await inbox.apply(event)
        except PyMongoError as error:
            failed = error
    raise failed
