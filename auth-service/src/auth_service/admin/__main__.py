"""Administrators on the command line, with the settings of auth-service in the environment.

python -m auth_service.admin EMAIL
python -m auth_service.admin EMAIL --revoke
"""

import argparse
import asyncio
import sys

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from auth_service.admin.roles import AdminRoles
from auth_service.command_line import COMMAND_LINE, open_parts
from intervai_shared.errors import ProblemError


def parse(arguments: list[str]) -> argparse.Namespace:
    """The account."""
    parser = argparse.ArgumentParser("admin", description="Makes an account an administrator.")
    parser.add_argument("email", metavar="EMAIL", help="of an account that there is")
    parser.add_argument("--revoke", action="store_true", help="take the role away")
    options = parser.parse_args(arguments)
    if "@" not in options.email:
        parser.error('which account? make admin EMAIL="ada@example.com"')
    return options


async def run(email: str, *, revoke: bool) -> str:
    """Does it; what to tell about it. Raises ProblemError, PyMongoError, RedisError."""
    async with open_parts() as parts:
        roles = AdminRoles(parts.mongo, parts.audit, parts.revocations)
        if revoke:
            changed = await roles.revoke(email, COMMAND_LINE)
            return f"{email} is {'an administrator no more' if changed else 'no administrator'}"
        changed = await roles.grant(email, COMMAND_LINE)
        if not changed:
            return f"{email} is an administrator already"
        return f"{email} is an administrator, from the next log-in or refresh on"


def main() -> None:
    """Exit 1, with a line that says why, when it did not work."""
    options = parse(sys.argv[1:])
    try:
        print(asyncio.run(run(options.email, revoke=options.revoke)))
    except RedisError as error:
        sys.exit(f"done, but tokens that are out live on, at most their 10 minutes: {error}. Please do it again.")
    except (ProblemError, PyMongoError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
