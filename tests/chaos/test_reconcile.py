"""The reconciler finds each kind of breach in a small world that is otherwise in order."""

from collections.abc import Callable

import pytest
from bson import ObjectId

from tests.chaos.ledger import REFUSED, UNKNOWN, Surprise
from tests.chaos.small_world import (
    ADA,
    CREATED,
    EXPORT,
    FILE,
    GENERATED,
    JOB,
    LETTER,
    OWN,
    REGISTERED,
    SESSION,
    USER,
    World,
    event,
    question,
)


@pytest.fixture
def world() -> World:
    return World()


def test_a_world_in_order_has_no_findings(world: World) -> None:
    assert not world.findings()


def _keeps_less(world: World) -> None:
    world.one("qa", "jobs").update(status="cancelled", made=[{}, {}, {}])


def _lose_account(world: World) -> None:
    world.found.db["auth"]["accounts"].clear()
    world.found.db["user"]["profiles"].clear()


def _double_session(world: World) -> None:
    world.found.db["qa"]["sessions"].append(world.one("qa", "sessions") | {"_id": ObjectId()})


def _double_export(world: World) -> None:
    world.found.db["export"]["exports"].append(world.one("export", "exports") | {"_id": UNASKED, "session": SESSION})
    world.found.objects[f"exports/{UNASKED}.md"] = 9


def _pinned_twice(world: World) -> None:
    world.found.db["qa"]["questions"][1]["ordinal"] = 0


UNASKED = ObjectId()
#: What is done to the world, and a finding that must follow.
BREACHES: dict[str, tuple[Callable[[World], object], tuple[str, str]]] = {
    "a person was told what cannot be": (
        lambda w: w.ledger.surprises.append(Surprise("lost", "a 404 of what was accepted", str(SESSION))),
        ("lost", str(SESSION)),
    ),
    "an account is gone": (_lose_account, ("lost", ADA)),
    "a new account was not written to": (lambda w: w.found.db["auth"]["letters"].clear(), ("lost", str(USER))),
    "a new account was written to twice": (
        lambda w: w.found.db["auth"]["letters"].append(w.one("auth", "letters") | {"_id": ObjectId()}),
        ("doubled", str(USER)),
    ),
    "a letter has not gone out": (
        lambda w: w.one("auth", "letters").update(status="queued"),
        ("stuck", str(LETTER)),
    ),
    "a profile was never made": (lambda w: w.found.db["user"]["profiles"].clear(), ("lost", str(USER))),
    "a profile is not shown": (lambda w: w.found.told[ADA].update(profile=None), ("lost", str(USER))),
    "a profile is there twice": (
        lambda w: w.found.db["user"]["profiles"].append({"_id": UNASKED, "email": ADA}),
        ("doubled", str(USER)),
    ),
    "a session is gone": (lambda w: w.found.db["qa"]["sessions"].clear(), ("lost", str(SESSION))),
    "a session is there twice": (_double_session, ("doubled", str(SESSION))),
    "a session is not shown": (lambda w: w.found.told[ADA]["sessions"].clear(), ("lost", str(SESSION))),
    "a job is gone": (lambda w: w.found.db["qa"]["jobs"].clear(), ("lost", str(JOB))),
    "a job never ended": (lambda w: w.one("qa", "jobs").update(status="running"), ("stuck", str(JOB))),
    "a job has failed": (lambda w: w.one("qa", "jobs").update(status="failed"), ("lost", str(JOB))),
    "a job nobody asked for": (
        lambda w: w.found.db["qa"]["jobs"].append(w.one("qa", "jobs") | {"_id": UNASKED}),
        ("doubled", str(UNASKED)),
    ),
    "a generated question is gone": (lambda w: w.found.db["qa"]["questions"].pop(0), ("lost", str(JOB))),
    "a generated question is there twice": (
        lambda w: w.found.db["qa"]["questions"].append(w.one("qa", "questions") | {"_id": ObjectId()}),
        ("doubled", str(JOB)),
    ),
    "a cancelled job has less than it says": (_keeps_less, ("lost", str(JOB))),
    "two questions have one ordinal": (_pinned_twice, ("doubled", str(JOB))),
    "a session asks the same twice": (
        lambda w: w.one("qa", "questions", 1).update(text="Q  0"),
        ("doubled", str(SESSION)),
    ),
    "the number of questions is wrong": (
        lambda w: w.one("qa", "sessions").update(questionCount=4),
        ("lost", str(SESSION)),
    ),
    "a question is not shown": (
        lambda w: w.found.told[ADA]["questions"][str(SESSION)].pop(),
        ("lost", str(SESSION)),
    ),
    "an own question is gone": (lambda w: w.found.db["qa"]["questions"].pop(2), ("lost", str(OWN))),
    "a change is undone": (lambda w: w.one("qa", "questions", 2).update(notes=""), ("lost", str(OWN))),
    "a change is not shown": (
        lambda w: w.found.told[ADA]["questions"][str(SESSION)][2].update(notes=""),
        ("lost", str(OWN)),
    ),
    "an export is gone": (lambda w: w.found.db["export"]["exports"].clear(), ("lost", str(EXPORT))),
    "an export is there twice": (_double_export, ("doubled", str(UNASKED))),
    "an export never ended": (lambda w: w.one("export", "exports").update(status="queued"), ("stuck", str(EXPORT))),
    "a file is gone": (lambda w: w.found.objects.clear(), ("lost", str(EXPORT))),
    "a file is cut": (lambda w: w.found.objects.update({FILE: 8}), ("lost", str(EXPORT))),
    "a file cannot be downloaded": (
        lambda w: w.found.told[ADA]["files"].update({str(EXPORT): -1}),
        ("lost", str(EXPORT)),
    ),
    "a file without export": (lambda w: w.found.objects.update({"exports/x.md": 1}), ("orphan", "exports/x.md")),
    "an event was not logged": (lambda w: w.found.db["qa"]["events"].pop(), ("lost", str(JOB))),
    "an event was logged twice": (
        lambda w: w.found.db["export"]["events"].append(event("export.completed", EXPORT)),
        ("doubled", str(EXPORT)),
    ),
    "an event was never applied": (lambda w: w.found.db["user"]["inbox"].clear(), ("lost", str(REGISTERED))),
    "an event was applied twice": (
        lambda w: w.found.db["qa"]["inbox"].append({"_id": f"{CREATED} trending"}),
        ("doubled", str(CREATED)),
    ),
    "an event has no effect": (
        lambda w: w.found.db["qa"]["topic_uses"].clear(),
        ("lost", f"sql:{USER}:2026-11-24"),
    ),
    "an effect has no event": (
        lambda w: w.found.db["qa"]["topic_uses"].append({"_id": "go:x:2026-11-24"}),
        ("orphan", "go:x:2026-11-24"),
    ),
    "a message was not published": (
        lambda w: w.found.db["auth"]["outbox"].append({"_id": UNASKED, "state": "pending", "name": "user.registered"}),
        ("stuck", str(UNASKED)),
    ),
    "a message was given up": (
        lambda w: w.found.db["export"]["dead_letters"].append(
            {"_id": UNASKED, "state": "dead", "actor": "make_export", "args": [], "error": "E"}
        ),
        ("stuck", str(UNASKED)),
    ),
    "a session that was deleted is there": (
        lambda w: w.request("delete session", SESSION),
        ("lost", str(SESSION)),
    ),
    "an export that was deleted is there": (lambda w: w.request("delete export", EXPORT), ("lost", str(EXPORT))),
    "a job that was cancelled has succeeded": (lambda w: w.request("cancel job", JOB), ("lost", str(JOB))),
    "a refused session is there": (
        lambda w: setattr(w.ledger.requests[1], "outcome", REFUSED),
        ("orphan", str(SESSION)),
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found(world: World, breach: str) -> None:
    doctor, expected = BREACHES[breach]
    doctor(world)
    assert expected in world.findings()


def test_what_has_no_definite_answer_may_be_there_once_or_not_at_all(world: World) -> None:
    made = {"title": "session 2", "questionCount": 2}
    world.request("start session", wanted=made, outcome=UNKNOWN)
    assert not world.findings()
    session = ObjectId()
    added = {"_id": session, "user": USER, "title": "session 2", "questionCount": 0}
    world.found.db["qa"]["sessions"].append(added)
    world.found.db["qa"]["events"].append(event("session.created", session, UNASKED, user=str(USER), topics=["SQL"]))
    world.found.db["qa"]["inbox"].append({"_id": str(UNASKED)})
    world.found.told[ADA]["sessions"].append({"id": str(session)})
    world.found.told[ADA]["questions"][str(session)] = []
    assert not world.findings()
    world.found.db["qa"]["sessions"].append(added | {"_id": ObjectId()})
    assert ("doubled", "session 2") in world.findings()


def test_a_change_without_a_definite_answer_may_stand_or_not(world: World) -> None:
    world.request("change question", OWN, wanted={"notes": "note 2"}, outcome=UNKNOWN)
    assert not world.findings()
    for view in (world.one("qa", "questions", 2), world.found.told[ADA]["questions"][str(SESSION)][2]):
        view["notes"] = "note 2"
    assert not world.findings()
    world.request("change question", OWN, wanted={"notes": "note 3"})
    assert ("lost", str(OWN)) in world.findings()


def test_a_job_may_fail_when_its_session_is_deleted_and_its_event_stays(world: World) -> None:
    world.request("delete session", SESSION)
    world.found.db["qa"]["sessions"].clear()
    world.found.db["qa"]["questions"].clear()
    world.found.db["qa"]["events"].append(event("session.deleted", SESSION, UNASKED))
    world.found.db["qa"]["inbox"].append({"_id": f"{UNASKED} progress"})
    world.found.told[ADA]["sessions"].clear()
    world.found.told[ADA]["questions"].clear()
    assert not world.findings()
    world.found.db["qa"]["questions"].append(question(GENERATED, "q 0", JOB))
    assert {("orphan", str(JOB)), ("orphan", str(SESSION))} <= world.findings()


def test_a_cancelled_job_and_one_that_found_no_more_keep_what_they_have(world: World) -> None:
    world.one("qa", "jobs").update(count=5, result={"questions": 2, "exhausted": True})
    assert not world.findings()
    world.one("qa", "jobs").update(result={"questions": 2})
    assert world.findings() == {("lost", str(JOB))}
    world.one("qa", "jobs").update(status="cancelled", result=None)
    world.request("cancel job", JOB)
    assert not world.findings()
