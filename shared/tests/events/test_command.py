"""The event log on the command line, of a made-up service."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from intervai_shared.mongo import Mongo
from intervai_shared.settings import ServiceSettings

Call = Callable[..., Awaitable[Any]]
EVENTS = """
from intervai_shared.messaging.events.catalogue import Catalogue, Event


class ThingMade(Event):
    TYPE = "thing.made"
    AGGREGATE = "thing"
    size: int


EVENTS = Catalogue(ThingMade)
"""
PROJECTIONS = """
from intervai_shared.messaging.events.projections import Projection


async def add(event, view, session):
    await view["sizes"].insert_one({"size": event["data"]["size"]}, session=session)


async def count(event, view, session):
    await view["counts"].update_one({"_id": "things"}, {"$inc": {"n": 1}}, upsert=True, session=session)


PROJECTIONS = [
    Projection("sizes", {"sizes": []}, {"thing.made": add}),
    Projection("counts", {"counts": []}, {"thing.made": count, "thing.sold": count}),
]
"""


@pytest.fixture
async def command(settings: ServiceSettings, mongo: Mongo, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Starts `python -m intervai_shared.events` with the settings of the service `made-up`."""
    package = tmp_path / "made_up"
    package.mkdir()
    (package / "events.py").write_text(EVENTS)
    (package / "projections.py").write_text(PROJECTIONS)
    own = {"SERVICE_CLIENT_ID": "made-up", "MONGO_DATABASE": settings.mongo_database, "PYTHONPATH": str(tmp_path)}
    started: list[Process] = []

    async def start(*arguments: str) -> Process:
        program = [sys.executable, "-m", "intervai_shared.events", *arguments]
        process = await asyncio.create_subprocess_exec(
            *program, env={**os.environ, **own}, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def outcome(process: Process) -> tuple[int | None, list[str], str]:
    """Exit code, lines, and what it complained of."""
    out, err = await process.communicate()
    return process.returncode, out.decode().splitlines(), err.decode()


async def test_the_log_is_printed_as_one_json_line_an_event(command: Call, write: Call, stored_event: Call) -> None:
    [thing, _] = await write(1, 2)
    await stored_event("thing.sold", 1, {"price": 3})
    code, lines, complaint = await outcome(await command("print"))
    assert (code, len(lines), complaint) == (0, 3, "")
    assert [json.loads(line)["type"] for line in lines] == ["thing.made", "thing.made", "thing.sold"]
    _, lines, _ = await outcome(await command("print", "--type", "thing.made", "--aggregate", str(thing)))
    assert [json.loads(line)["data"] for line in lines] == [{"size": 1}]
    _, lines, _ = await outcome(await command("print", "--limit", "1", "--since", "2026-01-01"))
    assert [json.loads(line)["data"] for line in lines] == [{"price": 3}]


async def test_following_ends_quietly_with_ctrl_c(command: Call, write: Call) -> None:
    await write(1)
    process = await command("print", "--follow")
    assert json.loads(await process.stdout.readline())["data"] == {"size": 1}
    await write(2)
    assert json.loads(await process.stdout.readline())["data"] == {"size": 2}
    process.send_signal(signal.SIGINT)
    assert await outcome(process) == (0, [], "")


async def test_a_reader_that_has_enough_ends_it_quietly(command: Call, write: Call) -> None:
    await write(1)
    process = await command("print", "--follow")
    await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()
    await write(2, 3)
    assert (await process.wait(), await process.stderr.read()) == (0, b"")


async def test_a_projection_is_replayed_by_its_name(command: Call, write: Call, mongo: Mongo) -> None:
    await write(1, 2)
    assert await outcome(await command("replay", "sizes")) == (0, ["sizes: built anew from 2 events"], "")
    state = await mongo.db.projections.find_one({"_id": "sizes"})
    assert state
    sizes = [found["size"] async for found in mongo.db[f"sizes.{state['active']}"].find()]
    assert sorted(sizes) == [1, 2]
    assert await mongo.db.projections.find_one({"_id": "counts"}) is None


async def test_all_projections_are_replayed_when_none_is_named(
    command: Call, write: Call, stored_event: Call, mongo: Mongo
) -> None:
    await write(1)
    await stored_event("thing.sold", 1, {"price": 3})
    told = ["sizes: built anew from 1 events", "counts: built anew from 2 events"]
    assert await outcome(await command("replay")) == (0, told, "")
    state = {found["_id"]: found["active"] async for found in mongo.db.projections.find()}
    assert await mongo.db[f"counts.{state['counts']}"].find_one() == {"_id": "things", "n": 2}
    assert await mongo.db[f"sizes.{state['sizes']}"].count_documents({"size": 1}) == 1


async def test_what_cannot_be_done_is_said_in_one_line(command: Call, stored_event: Call) -> None:
    await stored_event("thing.made", 2, {})
    code, _, complaint = await outcome(await command("print"))
    assert (code, complaint.count("\n")) == (1, 1)
    assert "thing.made version 2, known here are 1 to 1" in complaint
    code, _, complaint = await outcome(await command("replay", "colours"))
    assert (code, complaint) == (1, "there is no projection colours here; there are: sizes, counts\n")
    for wrong in (["--aggregate", "7"], ["--since", "yesterday"], ["--limit", "-1"]):
        code, _, complaint = await outcome(await command("print", *wrong))
        assert (code, "Traceback" in complaint) == (2, False)
