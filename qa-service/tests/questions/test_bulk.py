"""One action on many questions: what became of each, in one transaction, with few questions to Mongo; and counts."""

from collections.abc import Awaitable, Callable
from typing import Any

from bson import ObjectId

from intervai_shared.query_checks import Recorder
from intervai_shared.testing import NewPerson, Person
from qa_service.container import QaContainer
from qa_service.questions.schemas import NewQuestion

Call = Callable[..., Awaitable[Any]]


async def test_each_question_tells_what_became_of_it(
    add: Call, ask: Call, start: Call, container: QaContainer, person: Person, new_person: NewPerson
) -> None:
    other = (await new_person()).id
    foreign = await container.questions.add(other, (await start(other, generate=False))["_id"], NewQuestion(text="?"))
    frozen = str((await start(person.id, generate=False))["_id"])
    mine, kept = await add("Mine?"), await add("Kept?", frozen)
    db = container.resources.mongo.db
    await db.sessions.update_one({"_id": ObjectId(frozen)}, {"$set": {"isArchived": True}})
    ids = [str(ObjectId()), mine["id"], kept["id"], str(foreign["_id"]), mine["id"]]
    for action in ("pin", "unpin", "delete"):
        answer = await ask("POST", "/questions/bulk", json={"ids": ids, "action": action})
        found = [(item["id"], item["status"]) for item in answer["items"]]
        assert found == [(ids[0], "notFound"), (ids[1], "done"), (ids[2], "archived"), (ids[3], "notFound")]
    assert {question["_id"] async for question in db.questions.find()} == {ObjectId(kept["id"]), foreign["_id"]}
    assert await db.questions.find_one({"_id": foreign["_id"]}) == {**foreign, "user": other}


async def test_deleted_questions_are_counted_and_told_of_by_session(
    add: Call, ask: Call, start: Call, session: str, container: QaContainer, person: Person
) -> None:
    second = str((await start(person.id, generate=False))["_id"])
    questions = [await add("1?"), await add("2?"), await add("3?", second, category="Go"), await add("4?")]
    ids = [question["id"] for question in questions[:3]]
    await ask("POST", "/questions/bulk", json={"ids": ids, "action": "delete"})
    events = await container.resources.mongo.db.events.find({"type": "questions.deleted"}).to_list()
    told = {str(event["aggregateId"]): event["data"] for event in events}
    assert told.keys() == {session, second}
    assert (told[session]["count"], sorted(told[session]["questions"])) == (2, sorted(ids[:2]))
    assert told[second]["groups"] == [{"category": "Go", "difficulty": "medium", "count": 1}]
    counts = [(await ask("GET", f"/sessions/{each}"))["questionCount"] for each in (session, second)]
    assert counts == [1, 0]


async def test_a_difficulty_for_many_is_an_edit_of_each_that_had_another(
    add: Call, ask: Call, container: QaContainer
) -> None:
    easy, hard = await add("1?", difficulty="easy"), await add("2?", difficulty="hard")
    body = {"ids": [easy["id"], hard["id"]], "action": "setDifficulty", "difficulty": "hard"}
    answer = await ask("POST", "/questions/bulk", json=body)
    assert [item["status"] for item in answer["items"]] == ["done", "done"]
    versions = [(await ask("GET", f"/questions/{question['id']}"))["version"] for question in (easy, hard)]
    assert versions == [2, 1]
    assert (await ask("POST", f"/questions/{easy['id']}/undo"))["difficulty"] == "easy"
    assert await container.resources.mongo.db.events.count_documents({"type": "question.changed"}) == 2


async def test_many_cost_no_more_questions_to_mongo_than_few(add: Call, ask: Call, recorder: Recorder) -> None:
    ids = [(await add(f"{number}?", difficulty="easy"))["id"] for number in range(30)]
    for action in ({"action": "pin"}, {"action": "setDifficulty", "difficulty": "hard"}, {"action": "delete"}):
        counts = []
        for some in (ids[:1], ids[1:]):
            recorder.commands.clear()
            await ask("POST", "/questions/bulk", json={"ids": some, **action})
            counts.append(len(recorder.commands))
        assert counts[0] == counts[1] <= 10, action


async def test_a_wrong_bulk_request_is_refused(ask: Call) -> None:
    one = [str(ObjectId())]
    for body in (
        {"ids": [], "action": "pin"},
        {"ids": one * 101, "action": "pin"},
        {"ids": ["x"], "action": "pin"},
        {"ids": [{"$ne": None}], "action": "delete"},
        {"ids": one, "action": "drop"},
        {"ids": one, "action": "setDifficulty"},
        {"ids": one, "action": "pin", "difficulty": "easy"},
        {"ids": one, "action": "setDifficulty", "difficulty": "no"},
    ):
        await ask("POST", "/questions/bulk", 422, json=body)


async def test_the_stats_of_a_session_count_its_questions_of_each_kind(
    add: Call, ask: Call, session: str, container: QaContainer
) -> None:
    empty = {"total": 0, "pinned": 0, "byDifficulty": {}, "byCategory": {}, "bySource": {}}
    assert await ask("GET", f"/sessions/{session}/questions/stats") == empty
    pinned = await add("1?", difficulty="hard", category="Go")
    await add("2?", difficulty="hard", category="SQL $1.x")
    await ask("PATCH", f"/questions/{pinned['id']}", json={"isPinned": True})
    questions = container.resources.mongo.db.questions
    await questions.update_one({"text": "2?"}, {"$set": {"source": "generated"}})
    assert await ask("GET", f"/sessions/{session}/questions/stats") == {
        "total": 2,
        "pinned": 1,
        "byDifficulty": {"hard": 2},
        "byCategory": {"Go": 1, "SQL $1.x": 1},
        "bySource": {"custom": 1, "generated": 1},
    }
    found = await ask("GET", f"/sessions/{session}/questions", params={"source": "generated"})
    assert [item["text"] for item in found["items"]] == ["2?"]
    await ask("GET", f"/sessions/{ObjectId()}/questions/stats", 404)
