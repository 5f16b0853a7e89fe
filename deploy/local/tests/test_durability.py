"""The embedded Mongo server keeps what it has acknowledged when it is killed."""

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pymongo
import pytest
from pymongo.errors import PyMongoError

from intervai_local import parts
from intervai_local.parts import Plan
from intervai_local.state import HOST, State, free_port

WRITERS = 8
ROUNDS = 3
#: Acknowledged transactions of a round after which the server is killed.
ENOUGH = 150


def connected(port: int, seconds: float = 20) -> "pymongo.MongoClient[dict[str, Any]]":
    """`seconds`: how long an operation waits for the server."""
    milliseconds = int(seconds * 1000)
    return pymongo.MongoClient(HOST, port, directConnection=True, w="majority", serverSelectionTimeoutMS=milliseconds)


def wait_for(port: int) -> None:
    with connected(port) as client:
        client.admin.command("ping")


def write_until_killed(client: "pymongo.MongoClient[dict[str, Any]]", name: str, enough: Event) -> list[str]:
    """Two inserts in a transaction, again and again; the ids of those that were acknowledged."""
    acknowledged: list[str] = []
    while True:
        number = f"{name}-{len(acknowledged)}"
        try:
            with client.start_session() as session, session.start_transaction():
                client.test.one.insert_one({"_id": number}, session=session)
                client.test.two.insert_one({"_id": number}, session=session)
        except PyMongoError:
            return acknowledged
        acknowledged.append(number)
        if len(acknowledged) >= ENOUGH / WRITERS:
            enough.set()


def test_a_killed_mongo_server_has_every_acknowledged_transaction_whole(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.shutil, "which", lambda _: None)  # the embedded one, whether there is a mongod or not
    port = free_port()
    process = parts.mongo(Plan(state, dict(os.environ), {"mongo": port}, {}, {}))
    acknowledged: list[str] = []
    for round_number in range(ROUNDS):
        enough = Event()
        with subprocess.Popen(process.command) as server, ThreadPoolExecutor(WRITERS) as pool:
            wait_for(port)
            with connected(port, 2) as client:
                names = [f"{round_number}-{writer}" for writer in range(WRITERS)]
                writers = [pool.submit(write_until_killed, client, name, enough) for name in names]
                enough.wait(30)
                server.send_signal(signal.SIGKILL)
                acknowledged += [number for writer in writers for number in writer.result(30)]
    with subprocess.Popen(process.command) as server, connected(port) as client:
        kept = [{found["_id"] for found in client.test[name].find({})} for name in ("one", "two")]
        server.terminate()
    assert len(acknowledged) >= ROUNDS * ENOUGH / WRITERS
    assert kept[0] == kept[1], "a transaction was torn"
    assert not set(acknowledged) - kept[0], "an acknowledged transaction is gone"
