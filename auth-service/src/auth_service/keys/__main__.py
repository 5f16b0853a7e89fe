"""Signing keys on the command line, with the settings of auth-service in the environment.

python -m auth_service.keys list
python -m auth_service.keys rotate
python -m auth_service.keys revoke KID
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from auth_service.command_line import COMMAND_LINE, open_parts
from auth_service.keys.lives import ADVANCE_SECONDS
from auth_service.keys.repository import KeyRepository
from auth_service.keys.rotation import KeyRotation
from auth_service.keys.sealing import KeySeal
from intervai_shared.errors import ProblemError


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command and its key."""
    parser = argparse.ArgumentParser("keys", description="The keys that sign access tokens.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is, the newest first")
    commands.add_parser("rotate", help="make the next key; it signs once all services know it")
    revoke = commands.add_parser("revoke", help="stop a leaked key at once, everywhere")
    revoke.add_argument("kid", metavar="KID")
    return parser.parse_args(arguments)


async def run(options: argparse.Namespace) -> None:
    """Does the command. Raises ProblemError, PyMongoError, RedisError."""
    async with open_parts() as parts:
        keys, seal = KeyRepository(parts.mongo.db), KeySeal(parts.master_key)
        days = parts.settings.key_rotation_days
        rotation = KeyRotation(keys, seal, parts.mongo, parts.audit, parts.revocations, days)
        match options.command:
            case "list":
                await show(rotation)
            case "rotate":
                made = await rotation.rotate(COMMAND_LINE)
                print(f"{made} is made, signs in {ADVANCE_SECONDS / 60:.0f} min")
            case "revoke":
                made_instead = await rotation.revoke(options.kid, COMMAND_LINE)
                print(f"{options.kid} is revoked" + (f", {made_instead} signs now" if made_instead else ""))


async def show(rotation: KeyRotation) -> None:
    """A line a key."""
    for key in await rotation.states():
        since = datetime.fromtimestamp(key.signs_from, UTC)
        print(f"{key.kid}  number={key.number}  signs from {since:%Y-%m-%d %H:%M:%S} UTC  {key.state}")


def main() -> None:
    """Exit 1, with a line that says why, when it did not work."""
    options = parse(sys.argv[1:])
    try:
        asyncio.run(run(options))
    except RedisError as error:
        sys.exit(f"done in Mongo, but the services could not be told: {error}. Please do it again.")
    except (ProblemError, PyMongoError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
