"""The event log on the command line, with a service's settings in the environment.

python -m intervai_shared.events print [--type TYPE]... [--aggregate ID] [--since TIME] [--limit N] [--follow]
python -m intervai_shared.events replay [PROJECTION]

`print` writes one JSON line an event, the oldest first; `replay` builds a projection anew, or all of the service. The
package of the service has `events.EVENTS`, its catalogue, and may have `projections.PROJECTIONS`.
"""

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec

import orjson
from bson import ObjectId
from pymongo.errors import PyMongoError

from intervai_shared import logs, mongo
from intervai_shared.dlq import OperatorSettings
from intervai_shared.messaging.events.catalogue import Catalogue, UnknownVersionError
from intervai_shared.messaging.events.log import EventLog, Wanted
from intervai_shared.messaging.events.projections import Projection
from intervai_shared.messaging.events.replay import Replay, ReplayError
from intervai_shared.settings import load_settings


def main(arguments: list[str]) -> int:
    """The exit code; says in one line what went wrong. Ctrl-C, and a reader that has enough, are no errors."""
    options = parse(arguments)
    try:
        asyncio.run(run(options))
    except (UnknownVersionError, ReplayError, PyMongoError, LookupError) as error:
        print(error.args[0] if isinstance(error, LookupError) else error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """What is to be done."""
    parser = argparse.ArgumentParser("events", description="What a service has told of itself.")
    commands = parser.add_subparsers(dest="command", required=True)
    shows = commands.add_parser("print", help="the log, the oldest event first")
    shows.add_argument(
        "--type", action="append", default=[], dest="types", help="like session.created; may be repeated"
    )
    shows.add_argument("--aggregate", type=_object_id, help="only the events of this thing, by its id")
    shows.add_argument("--since", type=_time, help="RFC 3339 date or time, UTC when it names no zone")
    shows.add_argument("--limit", type=_count, help="only the newest so many of them")
    shows.add_argument("--follow", action="store_true", help="go on with each new event, until Ctrl-C")
    replays = commands.add_parser("replay", help="build projections anew")
    replays.add_argument("projection", nargs="?", help="only this one; default: all, one after the other")
    return parser.parse_args(arguments)


async def run(options: argparse.Namespace) -> None:
    """Does it. Raises UnknownVersionError, ReplayError, LookupError (no such projection), PyMongoError."""
    settings = load_settings(OperatorSettings)
    logs.configure(settings.service, "WARNING")
    package = settings.service.replace("-", "_")
    catalogue: Catalogue = import_module(f"{package}.events").EVENTS
    database = mongo.connect(settings)
    try:
        if options.command == "replay":
            for projection in _projections(package, options.projection):
                await _replay(Replay(database, catalogue, projection), projection.name)
        else:
            await _print(EventLog(database.db, catalogue), options)
    finally:
        await database.close()


async def _print(event_log: EventLog, options: argparse.Namespace) -> None:
    wanted = Wanted(options.types, options.aggregate, options.since)
    read = event_log.follow if options.follow else event_log.read
    async for event in read(wanted, options.limit):
        print(orjson.dumps(event).decode(), flush=options.follow)


async def _replay(replay: Replay, name: str) -> None:
    await replay.run()
    print(f"{name}: built anew from {replay.applied} events", flush=True)


def _projections(package: str, name: str | None) -> list[Projection]:
    """The one of this name, or all."""
    has_some = find_spec(f"{package}.projections")
    known: list[Projection] = import_module(f"{package}.projections").PROJECTIONS if has_some else []
    wanted = [projection for projection in known if name in (None, projection.name)]
    if not wanted:
        names = ", ".join(projection.name for projection in known) or "none"
        raise LookupError(f"there is no projection {name or 'at all'} here; there are: {names}")
    return wanted


def _object_id(value: str) -> ObjectId:
    if ObjectId.is_valid(value):
        return ObjectId(value)
    raise argparse.ArgumentTypeError("must be 24 hex digits")


def _count(value: str) -> int:
    if value.isdecimal():
        return int(value)
    raise argparse.ArgumentTypeError("must be a number that is not negative")


def _time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date or a time like 2026-01-31T12:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
