"""Erasures on the command line, for operators who restore a backup: it brings back whoever was erased after it.

python -m user_service.privacy list            # the ids of all erased people, one a line: keep it beside the backups
python -m user_service.privacy again < FILE    # erases those of them anew who are back
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable

from bson import ObjectId
from bson.errors import InvalidId
from pymongo.errors import PyMongoError

from intervai_shared import logs
from intervai_shared.settings import load_settings
from user_service.container import open_container
from user_service.privacy.repository import ErasureRepository
from user_service.settings import UserSettings


async def show() -> None:
    """A line a person."""
    async with open_container(load_settings(UserSettings)) as container:
        async for record in ErasureRepository(container.resources.mongo.db).everybody():
            sys.stdout.write(f"{record['user']}\n")


async def again(lines: Iterable[str]) -> None:
    """Begins the erasure of each person of whom this database knows none; the receipts of then are good again."""
    wanted = [ObjectId(line.strip()) for line in lines if line.strip()]
    async with open_container(load_settings(UserSettings)) as container:
        known = {record["user"] async for record in ErasureRepository(container.resources.mongo.db).everybody()}
        for user in wanted:
            if user not in known:
                await container.erasure_requests.request(user)
                sys.stdout.write(f"{user} is erased again\n")


def main() -> None:
    """Exit 1, with a line that says why, when it did not work."""
    parser = argparse.ArgumentParser("user_service.privacy", description="Who has been erased.")
    parser.add_argument("command", choices=["list", "again"])
    command = parser.parse_args().command
    logs.configure("user-service", "ERROR")
    try:
        asyncio.run(show() if command == "list" else again(sys.stdin))
    except (PyMongoError, InvalidId) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
