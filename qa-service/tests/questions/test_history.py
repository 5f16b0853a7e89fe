"""Edits: each is a version with its event; history, as-of, undo and redo follow from the events alone."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import example, given
from hypothesis import strategies as st

from intervai_shared.models import Document
from qa_service.container import QaContainer
from qa_service.questions.history import stacks

Call = Callable[..., Awaitable[Any]]
Changes = Callable[[], Awaitable[list[Document]]]


@pytest.fixture
def changes(container: QaContainer) -> Changes:
    """The data of all events `question.changed`, in order."""

    async def call() -> list[Document]:
        found = container.resources.mongo.db.events.find({"type": "question.changed"}).sort("_id", 1)
        return [event["data"] async for event in found]

    return call


async def test_an_edit_is_a_version_and_an_event_of_what_differs(add: Call, ask: Call, changes: Changes) -> None:
    question = await add("Why SQL?", answer="So.", difficulty="easy")
    assert question["version"] == 1
    edited = await ask("PATCH", f"/questions/{question['id']}", json={"answer": "Since.", "difficulty": "easy"})
    assert (edited["version"], edited["answer"], edited["source"]) == (2, "Since.", "custom")
    [change] = await changes()
    assert (change["cause"], change["version"]) == ("edit", 2)
    assert (change["before"], change["after"]) == ({"answer": "So."}, {"answer": "Since."})


async def test_a_pin_and_an_edit_without_a_difference_are_no_version(add: Call, ask: Call, changes: Changes) -> None:
    path = f"/questions/{(await add('Why?', notes='Mine'))['id']}"
    pinned = await ask("PATCH", path, json={"isPinned": True})
    assert (pinned["isPinned"], pinned["version"]) == (True, 1)
    assert await ask("PATCH", path, json={"notes": "Mine", "text": "Why?"}) == pinned
    assert await ask("PATCH", path, json={}) == pinned
    both = await ask("PATCH", path, json={"isPinned": False, "notes": "Mine"})
    assert (both["isPinned"], both["version"]) == (False, 1)
    assert await changes() == []


async def test_two_edits_at_a_time_are_two_versions(add: Call, ask: Call, changes: Changes) -> None:
    path = f"/questions/{(await add())['id']}"
    await asyncio.gather(*[ask("PATCH", path, json={"notes": f"note {number}"}) for number in range(4)])
    assert (await ask("GET", path))["version"] == 5
    told = await changes()
    assert [change["version"] for change in told] == [2, 3, 4, 5]
    assert [change["before"] for change in told[1:]] == [change["after"] for change in told[:-1]]


async def test_the_history_shows_each_change_once_the_newest_first(add: Call, ask: Call) -> None:
    path = f"/questions/{(await add('One?'))['id']}"
    for text in ("Two?", "Three?", "Four?"):
        await ask("PATCH", path, json={"text": text})
    await ask("POST", f"{path}/undo")
    first = await ask("GET", f"{path}/history", params={"limit": 3})
    assert [(item["version"], item["cause"]) for item in first["items"]] == [(5, "undo"), (4, "edit"), (3, "edit")]
    assert (first["items"][0]["before"], first["items"][0]["after"]) == ({"text": "Four?"}, {"text": "Three?"})
    assert first["items"][0]["fields"] == ["text"]
    rest = await ask("GET", f"{path}/history", params={"limit": 3, "cursor": first["nextCursor"]})
    assert ([item["version"] for item in rest["items"]], rest["nextCursor"]) == ([2], None)


async def test_a_question_is_shown_as_it_was_at_a_time(
    add: Call, ask: Call, container: QaContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa_service.questions.history.STRIDE", 2)
    question = await add("0?", answer="a")
    path, db = f"/questions/{question['id']}", container.resources.mongo.db
    made = datetime.fromisoformat(question["createdAt"])
    edited = [await ask("PATCH", path, json={"text": f"{number}?"}) for number in range(1, 6)]
    states = [question, *edited]
    await ask("PATCH", path, json={"isPinned": True})
    # One change an hour, as far as the log knows.
    for number, event in enumerate(await db.events.find({"type": "question.changed"}).sort("_id", 1).to_list(), 1):
        await db.events.update_one({"_id": event["_id"]}, {"$set": {"occurredAt": made + timedelta(hours=number)}})
    for number, state in enumerate(states):
        for minutes in (0, 59):
            at = made + timedelta(hours=number, minutes=minutes)
            seen = await ask("GET", path, params={"asOf": at.isoformat()})
            hour = made + timedelta(hours=number)
            assert {**seen, "updatedAt": None} == {**state, "isPinned": True, "updatedAt": None}
            assert datetime.fromisoformat(seen["updatedAt"]) == hour
    before = (made - timedelta(milliseconds=1)).isoformat()
    await ask("GET", path, 404, params={"asOf": before})
    await ask("GET", path, 422, params={"asOf": "yesterday"})
    await ask("GET", path, 422, params={"asOf": "2026-01-01T00:00:00"})


async def test_nothing_more_to_undo_or_redo_is_a_conflict(add: Call, ask: Call) -> None:
    path = f"/questions/{(await add('One?'))['id']}"
    await ask("POST", f"{path}/undo", 409)
    await ask("PATCH", path, json={"text": "Two?"})
    await ask("POST", f"{path}/redo", 409)
    assert (await ask("POST", f"{path}/undo"))["text"] == "One?"
    await ask("POST", f"{path}/undo", 409)
    assert (await ask("POST", f"{path}/redo"))["text"] == "Two?"
    await ask("PATCH", path, json={"notes": "x"})
    assert (await ask("POST", f"{path}/undo"))["notes"] == ""
    await ask("PATCH", path, json={"answer": "new"})
    await ask("POST", f"{path}/redo", 409)


async def test_two_undos_at_a_time_take_back_two_changes(add: Call, ask: Call) -> None:
    path = f"/questions/{(await add('0?'))['id']}"
    for number in (1, 2, 3):
        await ask("PATCH", path, json={"text": f"{number}?"})
    await asyncio.gather(ask("POST", f"{path}/undo"), ask("POST", f"{path}/undo"))
    assert (await ask("GET", path))["text"] == "1?"


async def test_an_archived_session_is_read_only(add: Call, ask: Call, container: QaContainer) -> None:
    question = await add("One?")
    path = f"/questions/{question['id']}"
    await ask("PATCH", path, json={"text": "Two?"})
    await container.resources.mongo.db.sessions.update_many({}, {"$set": {"isArchived": True}})
    for method, of_it, body in (
        ("PATCH", "", {"text": "Three?"}),
        ("PATCH", "", {"isPinned": True}),
        ("DELETE", "", None),
        ("POST", "/undo", None),
    ):
        await ask(method, path + of_it, 409, json=body)
    assert (await ask("GET", path))["text"] == "Two?"


MOVES = st.lists(st.sampled_from(["edit", "undo", "redo"]), max_size=30)


def modelled(moves: list[str]) -> list[int]:
    """The states that an editor shows after each move; a move that cannot be made changes nothing."""
    states, position, shown = [0], 0, []
    for number, move in enumerate(moves, 1):
        if move == "edit":
            states = [*states[: position + 1], number]
            position += 1
        elif move == "undo":
            position = max(position - 1, 0)
        else:
            position = min(position + 1, len(states) - 1)
        shown.append(states[position])
    return shown


@given(MOVES, st.sampled_from([2, 5, 40]))
@example(["edit", "edit", "undo", "undo", "edit", "redo"], 40)
def test_any_series_of_edits_undos_and_redos_ends_where_an_editor_would(moves: list[str], window: int) -> None:
    """Also when only the newest changes are looked at, as long as none further back is wanted."""
    log: list[tuple[ObjectId, str]] = []
    told: dict[ObjectId, tuple[int, int]] = {}
    state = 0
    for number, (move, expected) in enumerate(zip(moves, modelled(moves), strict=True), 1):
        undoable, redoable = stacks(log[-window:])
        stack = {"edit": [None], "undo": undoable, "redo": redoable}[move]
        all_of_it = dict(zip(("undo", "redo"), stacks(log), strict=True)).get(move, [None])
        if not stack and all_of_it:
            return  # further back than the window: refused
        assert stack[-1:] == all_of_it[-1:]
        if stack:
            after = number if move == "edit" else told[stack[-1]][0]
            log.append((ObjectId(), move))
            told[log[-1][0]] = (state, after)
            state = after
        assert state == expected


async def test_a_long_series_ends_in_the_database_where_an_editor_would(add: Call, ask: Call) -> None:
    path, before = f"/questions/{(await add('0?'))['id']}", 0
    moves = [
        "edit",
        "edit",
        "undo",
        "edit",
        "edit",
        *["undo"] * 2,
        "redo",
        *["undo"] * 3,
        *["redo"] * 4,
        "edit",
        "undo",
    ]
    for number, (move, expected) in enumerate(zip(moves, modelled(moves), strict=True), 1):
        if move == "edit":
            await ask("PATCH", path, json={"text": f"{number}?"})
        else:
            await ask("POST", f"{path}/{move}", 409 if expected == before else 200)
        assert (await ask("GET", path))["text"] == f"{expected}?", number
        before = expected
