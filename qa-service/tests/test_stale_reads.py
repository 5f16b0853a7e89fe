"""`MONGO_READ_URI` leads to a server that knows nothing, as a secondary that is behind: people see what they do."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
from pymongo import monitoring

from intervai_local.state import HOST, free_port
from intervai_shared.settings import load_settings
from intervai_shared.testing import Person
from qa_service.container import QaContainer
from qa_service.settings import QaSettings

SESSION = {"role": "Backend engineer", "experience": "senior", "topics": ["SQL"], "generate": False}
_ASKED = {"find", "aggregate", "count", "distinct"}


@dataclass
class Asked(monitoring.CommandListener):
    """The collections that were read, by the port of the server."""

    by_port: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in _ASKED:
            self.by_port[int(event.connection_id[1] or 0)].add(str(event.command[event.command_name]))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a second Mongo server, which is and stays empty."""
    port, folder = free_port(), tmp_path_factory.mktemp("behind")
    command = [str(Path(sys.executable).parent / "secantusd-py"), "--host", HOST, "--port", str(port)]
    process = subprocess.Popen([*command, "--storage-path", str(folder)])
    try:
        _await(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _await(port: int) -> None:
    with pymongo.MongoClient[Any](HOST, port, serverSelectionTimeoutMS=90_000) as client:
        client.admin.command("ping")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    listeners = [*monitoring._LISTENERS.command_listeners, made]
    monkeypatch.setattr(monitoring, "_LISTENERS", monitoring._LISTENERS._replace(command_listeners=listeners))
    return made


@pytest.fixture
def settings(settings: QaSettings, behind: int, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> QaSettings:
    monkeypatch.setenv("MONGO_READ_URI", f"mongodb://{HOST}:{behind}/?readPreference=secondaryPreferred")
    return load_settings(QaSettings)


async def _json(http: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    answer = await http.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


async def test_a_person_sees_what_they_have_just_done(http: httpx.AsyncClient, asked: Asked, behind: int) -> None:
    session = await _json(http, "POST", "/sessions", SESSION)
    here = f"/sessions/{session['id']}"
    assert [each["id"] for each in (await _json(http, "GET", "/sessions"))["items"]] == [session["id"]]
    await _json(http, "PATCH", here, {"title": "Mine"})
    assert [each["title"] for each in (await _json(http, "GET", "/sessions"))["items"]] == ["Mine"]

    question = await _json(http, "POST", f"{here}/questions", {"text": "What is an index?", "answer": "A tree."})
    await _json(http, "PATCH", f"/questions/{question['id']}", {"isPinned": True})
    [listed] = (await _json(http, "GET", f"{here}/questions?pinned=true"))["items"]
    assert listed["id"] == question["id"]
    assert [each["id"] for each in (await _json(http, "GET", "/questions/search?q=index"))["items"]] == [listed["id"]]
    assert (await _json(http, "GET", f"{here}/questions/stats"))["total"] == 1

    job = (await _json(http, "POST", f"{here}/generations", {"count": 1}))["jobId"]
    assert (await _json(http, "GET", f"/jobs/{job}"))["status"] == "queued"
    await _json(http, "DELETE", f"/questions/{question['id']}")
    assert (await _json(http, "GET", f"{here}/questions"))["items"] == []
    assert not asked.by_port[behind], "an own read went to the server that is behind"


async def test_what_is_behind_anyway_is_read_where_it_may_be_more_behind(
    http: httpx.AsyncClient, asked: Asked, behind: int, person: Person, container: QaContainer
) -> None:
    db = container.resources.mongo.db
    await db.progress_sessions.insert_one({"user": person.id, "questionCount": 3, "isDeleted": False})
    mine = await _json(http, "GET", "/analytics/me")
    assert mine["totals"]["sessions"] == 0, "the primary has one"
    assert (await _json(http, "GET", "/analytics/trending"))["items"] == []
    read = {name.split(".")[0] for name in asked.by_port[behind]}
    assert read == {"progress_days", "progress_sessions", "progress_topics", "topic_uses"}
