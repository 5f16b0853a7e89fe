"""Checks of the queries of a repository: whom they reach, and which index serves them. Only tests import it."""

# ruff: noqa: S101  asserting is what it is for

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from bson import ObjectId
from pymongo import monitoring

from intervai_shared.models import Document
from intervai_shared.mongo import Database

Keys = list[tuple[str, int]]
#: Calls of a repository's methods for whoever is given: `page` and `page after` are two calls of `page`.
Queries = Mapping[str, Callable[[ObjectId], Awaitable[Any]]]
_WATCHED = {"find", "update", "delete", "insert", "aggregate", "count", "distinct", "findAndModify"}


@dataclass
class Recorder(monitoring.CommandListener):
    """Notes the commands of the Mongo clients that it listens to."""

    commands: list[Document] = field(default_factory=list)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in _WATCHED:
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@dataclass(frozen=True)
class Index:
    """The keys of an index, and the filter of those documents that it holds (empty: all)."""

    keys: Keys
    partial: Document = field(default_factory=dict)


@dataclass(frozen=True)
class QueryChecks:
    """The fixture `check_queries` of a service's tests: call it once for each repository class.

        async def test_the_queries_of_things(check_queries: QueryChecks, container: QaContainer, user: ObjectId):
            things = ThingRepository(container.resources.mongo.db)
            ...put a thing of `user` there...
            await check_queries(
                ThingRepository,
                user,
                {
                    "insert": lambda u: transaction(lambda t: things.insert(u, {"_id": ObjectId()}, t)),
                    "get": lambda u: things.get(u, thing_id),
                    "page": lambda u: things.page(u, 5, None),
                    "page after": lambda u: things.page(u, 5, position),
                },
                silent={"insert"},
            )

    It asserts that each public method is among the calls and takes `user` first; that each find, update, delete and
    aggregate names the owner in its filter, and each insert in its documents; that a stranger gets nothing (a falsy
    answer) and changes nothing of the owner's; that the owner gets something; and that an index serves each filter with
    its order. The calls run in the order given, first all for a stranger, then all for the owner: put deletes last.

    `silent`: methods that answer nothing. `ownerless`: methods that name no owner; say why beside it.
    """

    db: Database
    recorder: Recorder

    async def __call__(
        self,
        repository: type,
        owner: ObjectId,
        queries: Queries,
        *,
        silent: Collection[str] = (),
        ownerless: Collection[str] = (),
    ) -> None:
        _none_is_left_out(repository, queries, ownerless)
        named = {name: query for name, query in queries.items() if name.split()[0] not in ownerless}
        before = await self._things_of(owner)
        for name, query in named.items():
            assert not await query(ObjectId()), f"{name}: a stranger got something"
            assert await self._things_of(owner) == before, f"{name}: a stranger changed something"
        indexes = await indexes_of(self.db)
        for name, query in queries.items():
            self.recorder.commands.clear()
            answer = await query(owner)
            assert answer or name.split()[0] in silent, f"{name}: the owner got nothing"
            assert self.recorder.commands, f"{name}: asked nothing"
            for command in self.recorder.commands:
                self._check(name, command, None if name not in named else owner, indexes)

    @staticmethod
    def _check(name: str, command: Document, owner: ObjectId | None, indexes: Mapping[str, list[Index]]) -> None:
        kind, collection = next(iter(command.items()))
        if kind == "insert":
            assert owner is None or all(_names(document, owner) for document in command["documents"]), name
            return
        for where, sort in _searches(command):
            assert owner is None or _names(where, owner), f"{name}: names no owner: {where}"
            assert is_served(where, sort, indexes.get(collection, [])), f"{name}: no index for {where}, {sort}"

    async def _things_of(self, owner: ObjectId) -> list[Document]:
        names = sorted(await self.db.list_collection_names())
        return [thing for name in names for thing in await self.db[name].find({"user": owner}).to_list()]


def public_methods(repository: type) -> set[str]:
    """The names of the methods that others may call."""
    return {name for name, _ in inspect.getmembers(repository, inspect.isfunction) if not name.startswith("_")}


def is_served(where: Document, sort: Keys, indexes: Collection[Index]) -> bool:
    """Whether an index leads to the documents of a filter, in that order. Not by `explain`: the embedded engine's says
    COLLSCAN of a filter by `_id` and owner, which in truth it looks up."""
    if "_id" in where or any(_serves(index, where, sort) for index in indexes):
        return True
    rest = {key: value for key, value in where.items() if key != "$or"}
    branches = [{**rest, **branch} for branch in where.get("$or", [])]
    return bool(branches) and not sort and all(is_served(branch, [], indexes) for branch in branches)


async def indexes_of(db: Database) -> dict[str, list[Index]]:
    """The indexes of each collection."""
    found = {}
    for name in await db.list_collection_names():
        listed = await (await db[name].list_indexes()).to_list()
        found[name] = [Index(list(each["key"].items()), each.get("partialFilterExpression", {})) for each in listed]
    return found


def _none_is_left_out(repository: type, queries: Queries, ownerless: Collection[str]) -> None:
    methods = public_methods(repository)
    called = {name.split()[0] for name in queries}
    assert called == methods, f"{repository.__name__}: not called, or not there: {sorted(called ^ methods)}"
    for method in methods - set(ownerless):
        first = list(inspect.signature(getattr(repository, method)).parameters)[1]
        assert first == "user", f"{repository.__name__}.{method} does not take the owner first"


def _serves(index: Index, where: Document, sort: Keys) -> bool:
    if not all(_implies(where.get(name), wanted) for name, wanted in index.partial.items()):
        return False
    fixed = [name for name, _ in takewhile(lambda key: not isinstance(where.get(key[0], {}), dict), index.keys)]
    left = [key for key in sort if key[0] not in fixed]
    if left:
        following = index.keys[len(fixed) :][: len(left)]
        # An index is also walked backwards.
        return bool(fixed) and following in (left, [(name, -direction) for name, direction in left])
    return index.keys[0][0] in where


def _implies(value: Any, wanted: Any) -> bool:
    """Whether what is asked of a field lies within what a partial index holds."""
    return value == wanted or (wanted == {"$exists": True} and value is not None and not isinstance(value, dict))


def _names(asked: Any, owner: ObjectId) -> bool:
    """Whether the owner's id stands anywhere in a filter or a document, also as a part of a key."""
    if isinstance(asked, Mapping):
        return any(_names(value, owner) for value in asked.values())
    if isinstance(asked, list):
        return any(_names(value, owner) for value in asked)
    return asked == owner or (isinstance(asked, str) and str(owner) in asked)


def _searches(command: Document) -> list[tuple[Document, Keys]]:
    """The filters of a command, with their order."""
    kind = next(iter(command))
    if kind == "find":
        return [(command["filter"], list(command.get("sort", {}).items()))]
    if kind == "aggregate":
        following = command["pipeline"][1] if len(command["pipeline"]) > 1 else {}
        return [(command["pipeline"][0]["$match"], list(following.get("$sort", {}).items()))]
    return [(each["q"], []) for each in command[f"{kind}s"]]
