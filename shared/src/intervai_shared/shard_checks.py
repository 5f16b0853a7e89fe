"""Checks that queries of sharded collections carry the shard key: else MongoDB asks every shard. Only tests import it.

What is sharded by what stands in one file (deploy/mongo/sharding.json), which the script that shards reads too. A
router sends a command to one shard when its filter has an equality on the key (`$in`: to those of its values), see
https://www.mongodb.com/docs/manual/core/sharded-cluster-query-router/.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from pymongo import monitoring

_EQUALITIES = ("$eq", "$in")
_OF_TESTS = ("intervai_shared.query_checks", "intervai_shared.testing")


@dataclass(frozen=True)
class Sharding:
    """`keys`: the shard key's field of each sharded collection. `scattered`: the functions, as `module.Class.name` or
    `module.`, that ask every shard on purpose, each with the reason."""

    keys: Mapping[str, str]
    scattered: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_file(cls, file: Path) -> "Sharding":
        """Reads the file. Raises OSError, ValueError, KeyError when it is none."""
        told = json.loads(file.read_text())
        keys: dict[str, str] = {}
        for collections in told["sharded"].values():
            for name, about in collections.items():
                if name in keys:
                    raise ValueError(f"two services have a sharded collection {name}: a test could not tell them apart")
                [keys[name]] = about["key"]
        return cls(keys, told["scattered"])

    def misses(self, command: Mapping[str, Any]) -> bool:
        """Whether a command on a sharded collection lacks the key in a filter, or in a document to insert."""
        kind, collection = next(iter(command.items()))
        if not isinstance(collection, str) or (key := self.keys.get(collection)) is None:
            return False
        if kind == "insert":
            return not all(key in document for document in command["documents"])
        return not all(names(where, key) for where in _filters(kind, command))


def names(where: Any, key: str) -> bool:
    """Whether a filter has an equality on a field, at its top or in an `$and`."""
    if not isinstance(where, Mapping):
        return False
    value = where.get(key, where)
    if value is not where and (not isinstance(value, Mapping) or any(name in value for name in _EQUALITIES)):
        return True
    return any(names(each, key) for each in where.get("$and", ()))


def _filters(kind: str, command: Mapping[str, Any]) -> Iterator[Any]:
    match kind:
        case "find":
            yield command["filter"]
        case "count" | "distinct" | "findAndModify":
            yield command.get("query", {})
        case "aggregate":
            yield command["pipeline"][0].get("$match") if command["pipeline"] else None
        case "update" | "delete":
            yield from (each["q"] for each in command[f"{kind}s"])


@dataclass
class ShardWatch(monitoring.CommandListener):
    """Notes what our own code (not a test) sends to the Mongo clients that it listens to without the shard key.

    `ours`: how the names of our modules begin. `found`: who asked what. `excused`: those of `scattered` that were seen.
    """

    sharding: Sharding
    ours: tuple[str, ...]
    found: list[str] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        # The listener is called where the command is sent: whoever awaits it is further up on the stack.
        if not self.sharding.misses(event.command):
            return
        places = list(_places(sys._getframe(1), self.ours))  # noqa: SLF001  inspect.stack() reads the files' lines
        excuse = next((named for place in places for named in self.sharding.scattered if _is(place, named)), None)
        if excuse:
            self.excused.add(excuse)
        elif places:
            self.found.append(f"{places[0]}: {event.command}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


def _is(place: str, named: str) -> bool:
    return place.startswith(named) if named.endswith(".") else place == named


def _places(frame: FrameType | None, ours: tuple[str, ...]) -> Iterator[str]:
    """Our functions on the stack, the innermost first; none when a test asked Mongo itself."""
    is_asked = False
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        is_test = module in _OF_TESTS or "tests" in module.split(".")
        if is_test and not is_asked:
            return
        if module.startswith(ours) and not is_test:
            is_asked = True
            yield f"{module}.{frame.f_code.co_qualname}"
        frame = frame.f_back
