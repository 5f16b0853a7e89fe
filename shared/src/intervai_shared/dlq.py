"""Dead letters on the command line, with a service's settings in the environment.

python -m intervai_shared.dlq list [--queue QUEUE] [--state dead|replayed|dropped]
python -m intervai_shared.dlq show ID
python -m intervai_shared.dlq replay ID|all [--queue QUEUE]
python -m intervai_shared.dlq drop ID|all [--queue QUEUE]
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bson import ObjectId, json_util
from pydantic import Field
from pymongo.errors import PyMongoError

from intervai_shared import logs, mongo, redis
from intervai_shared.errors import ProblemError
from intervai_shared.live import LiveUpdates
from intervai_shared.messaging.dead_letters import DeadLetters
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document
from intervai_shared.settings import ServiceSettings, load_settings

PAGE = 100
_READABLE = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED, datetime_representation=json_util.DatetimeRepresentation.ISO8601
)


class OperatorSettings(ServiceSettings):
    """Those of the service whose environment it is."""

    service: str = Field(validation_alias="SERVICE_CLIENT_ID")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command, its letter and its queue."""
    parser = argparse.ArgumentParser("dlq", description="Messages that a worker has given up.")
    parser.add_argument("command", choices=["list", "show", "replay", "drop"])
    parser.add_argument("id", nargs="?", help="of a letter; all: of every one that is dead")
    parser.add_argument("--queue")
    parser.add_argument("--state", choices=["dead", "replayed", "dropped"], default="dead")
    options = parser.parse_args(arguments)
    if options.command != "list" and not (options.id == "all" or ObjectId.is_valid(options.id)):
        parser.error(f"{options.command} needs the id of a letter{'' if options.command == 'show' else ', or all'}")
    return options


@asynccontextmanager
async def open_letters(settings: ServiceSettings) -> AsyncIterator[DeadLetters]:
    """Opens no more than it needs."""
    database, client = mongo.connect(settings), redis.connect(settings)
    try:
        outbox = Outbox(database, client, settings.service)
        yield DeadLetters(database.db, outbox, LiveUpdates(client, settings.service))
    finally:
        await client.aclose()
        await database.close()


async def run(options: argparse.Namespace) -> None:
    """Does the command. Raises ProblemError, PyMongoError."""
    settings = load_settings(OperatorSettings)
    logs.configure(settings.service, "WARNING")
    async with open_letters(settings) as letters:
        match options.command:
            case "list":
                await show_list(letters, options)
            case "show":
                print(json_util.dumps(await letters.get(ObjectId(options.id)), json_options=_READABLE, indent=2))
            case "replay":
                await each(letters, options, letters.replay)
            case "drop":
                await each(letters, options, letters.drop)


async def show_list(letters: DeadLetters, options: argparse.Namespace) -> None:
    """A line a letter, the newest first."""
    cursor, count = None, 0
    while True:
        page = await letters.page(PAGE, cursor, queue=options.queue, state=options.state)
        for letter in page["items"]:
            print(line(letter))
        count, cursor = count + len(page["items"]), page["nextCursor"]
        if not cursor:
            break
    print(f"{count} {options.state}")


def line(letter: Document) -> str:
    """What one must know at a glance."""
    trace = letter["trace"].get("traceparent", "")[3:35] or "-"
    return (
        f"{letter['_id']}  {letter['diedAt']:%Y-%m-%d %H:%M:%S}  {letter['queue']}  {letter['actor']}"
        f"  {letter['reason']}  {letter['error']}  trace={trace}"
    )


async def each(
    letters: DeadLetters, options: argparse.Namespace, act: Callable[[ObjectId], Awaitable[Document]]
) -> None:
    """Acts on the chosen letter, or on all; one that another has closed meanwhile is named and passed over."""
    chosen = await letters.every(options.queue) if options.id == "all" else [ObjectId(options.id)]
    for letter_id in chosen:
        try:
            print(f"{letter_id} {(await act(letter_id))['state']}")
        except ProblemError as error:
            if options.id != "all":
                raise
            print(f"{letter_id} {error}")


def main() -> None:
    """Exit 1, with a line that says why, when it did not work."""
    options = parse(sys.argv[1:])
    try:
        asyncio.run(run(options))
    except (ProblemError, PyMongoError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
