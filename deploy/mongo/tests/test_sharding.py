"""sharding.json holds for what the services really have: their collections, their unique indexes, their queries. That
each query carries its shard key is asserted after every test, by `shard_keys` in conftest.py."""

import importlib
import json
from functools import reduce
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import ObjectId
from pymongo import IndexModel

from intervai_shared import resources
from intervai_shared.privacy.holdings import IMPERSONAL
from intervai_shared.privacy.tombstones import ERASURES
from intervai_shared.shard_checks import Sharding, ShardWatch

FILE = Path(__file__).parents[1] / "sharding.json"
TOLD = json.loads(FILE.read_text())
SHARDING = Sharding.of_file(FILE)
SERVICES = ("auth", "user", "qa", "export")
SHARDED = [(service, name) for service in TOLD["sharded"] for name in TOLD["sharded"][service]]


def indexes_of(service: str) -> dict[str, list[IndexModel]]:
    made = importlib.import_module(f"{service}_service.container").INDEXES
    return {**resources.INDEXES, **made}


@pytest.mark.parametrize("service", SERVICES)
def test_of_each_collection_it_is_decided_whether_it_is_sharded(service: str) -> None:
    holdings = importlib.import_module(f"{service}_service.privacy.holdings").HOLDINGS
    there = set(indexes_of(service)) | {each.collection for each in holdings.documents} | set(holdings.impersonal)
    sharded, whole = set(TOLD["sharded"].get(service, ())), set(TOLD["whole"].get(service, ()))
    assert not sharded & whole
    common = set(TOLD["whole"]["every service"])
    assert there - common == sharded | whole
    assert common >= (there - sharded - whole) | set(IMPERSONAL) - {"half_restored"}
    assert ERASURES in common


@pytest.mark.parametrize(("service", "name"), SHARDED)
def test_unique_indexes_of_sharded_collections_begin_with_the_shard_key(service: str, name: str) -> None:
    """MongoDB refuses to shard a collection otherwise; by the field's name, whether it is hashed or not."""
    [key] = TOLD["sharded"][service][name]["key"]
    documents = [index.document for index in indexes_of(service)[name]]
    unique = [list(document["key"]) for document in documents if document.get("unique")]
    assert all(fields[0] == key for fields in unique), unique
    names = {document["name"] for document in documents}
    assert not names & set(TOLD["sharded"][service][name].get("obsolete", ())), "the script would drop one in use"
    assert any(next(iter(document["key"])) == key for document in documents)


@pytest.mark.parametrize("place", SHARDING.scattered)
def test_whoever_asks_every_shard_is_there_and_has_a_reason(place: str) -> None:
    assert len(SHARDING.scattered[place]) > 20
    module, names = place.removesuffix("."), []
    while True:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            names.insert(0, name)
        else:
            break
    assert reduce(getattr, names, found)


OWNER = ObjectId()
COMMANDS: list[tuple[bool, dict[str, Any]]] = [
    (False, {"find": "things", "filter": {"user": OWNER, "_id": 1}}),
    (False, {"find": "things", "filter": {"user": {"$in": [OWNER]}}}),
    (False, {"find": "things", "filter": {"$and": [{"user": OWNER}, {"_id": {"$gt": 1}}]}}),
    (True, {"find": "things", "filter": {"_id": 1}}),
    (True, {"find": "things", "filter": {"user": {"$ne": OWNER}}}),
    (True, {"find": "things", "filter": {"$or": [{"user": OWNER}, {"user": None}]}}),
    (False, {"find": "others", "filter": {}}),
    (False, {"aggregate": "things", "pipeline": [{"$match": {"user": OWNER}}, {"$group": {"_id": None}}]}),
    (True, {"aggregate": "things", "pipeline": [{"$group": {"_id": None}}]}),
    (True, {"aggregate": "things", "pipeline": []}),
    (False, {"aggregate": 1, "pipeline": []}),
    (True, {"count": "things"}),
    (True, {"distinct": "things", "key": "user", "query": {"at": 1}}),
    (True, {"findAndModify": "things", "query": {"_id": 1}}),
    (True, {"update": "things", "updates": [{"q": {"user": OWNER}}, {"q": {"_id": 1}}]}),
    (False, {"update": "things", "updates": [{"q": {"user": OWNER, "_id": 1}}]}),
    (True, {"delete": "things", "deletes": [{"q": {}}]}),
    (True, {"insert": "things", "documents": [{"_id": 1}]}),
    (False, {"insert": "things", "documents": [{"_id": 1, "user": OWNER}]}),
    (False, {"ping": 1}),
]


@pytest.mark.parametrize(("is_missing", "command"), COMMANDS)
def test_a_command_without_the_shard_key_is_noticed(is_missing: bool, command: dict[str, Any]) -> None:
    assert Sharding({"things": "user"}).misses(command) is is_missing


def test_of_whoever_asks_mongo_only_our_own_code_is_noticed() -> None:
    """With a module that is no test's, and the listener where a client would call it."""
    watch = ShardWatch(Sharding({"things": "user"}, {"ours.sweep": "looks everywhere"}), ("ours",))
    started = pymongo.monitoring.CommandStartedEvent({"find": "things", "filter": {}}, "db", 1, ("127.0.0.1", 1), 1)
    module: dict[str, Any] = {"__name__": "ours", "watch": watch, "event": started}
    exec("def sweep(): watch.started(event)\ndef page(): watch.started(event)", module)  # noqa: S102
    watch.started(started)
    assert not watch.found
    module["sweep"]()
    assert (watch.found, watch.excused) == ([], {"ours.sweep"})
    module["page"]()
    assert [each.split(":")[0] for each in watch.found] == ["ours.page"]
