"""A MongoDB that stands still is started again, and has what it had acknowledged."""

import os
import signal
import time

import pymongo
import pytest

from intervai_local import environment
from intervai_local.lifecycle import Suite
from intervai_local.state import free_port
from intervai_local.watch import mongo_watched

#: Less than people wait, more than a busy machine does.
SILENT_SECONDS = 6


@pytest.mark.timeout(120)
def test_a_mongo_that_stands_still_is_started_again_and_has_lost_nothing(suite: Suite) -> None:
    suite.up(free_port())
    plan = suite.plan()
    uri = environment.suite(plan.caller, plan.ports, plan.secrets)["MONGO_URI"]
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=60_000) as client, mongo_watched(suite, SILENT_SECONDS):
        client.test.kept.insert_one({"_id": 1})
        [first] = suite.supervisor.pids()["mongo"]
        os.kill(first, signal.SIGSTOP)
        assert client.test.kept.count_documents({}) == 1  # read again by the driver, when its connection breaks
        assert suite.supervisor.pids()["mongo"][0] == first
        assert len(suite.supervisor.pids()["mongo"]) == 2


@pytest.mark.timeout(120)
def test_a_mongo_that_answers_is_left_alone(suite: Suite) -> None:
    suite.up(free_port())
    plan = suite.plan()
    uri = environment.suite(plan.caller, plan.ports, plan.secrets)["MONGO_URI"]
    with pymongo.MongoClient(uri) as client, mongo_watched(suite, SILENT_SECONDS):
        until = time.monotonic() + 1.5 * SILENT_SECONDS
        while time.monotonic() < until:
            client.test.kept.insert_one({"text": "x" * 1000})
    assert len(suite.supervisor.pids()["mongo"]) == 1
