"""Backs up, checks and restores: `python -m intervai_backup {backup,verify,restore} DIR`."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from intervai_backup.backup import take
from intervai_backup.errors import BackupError, one_line
from intervai_backup.report import say, show_table
from intervai_backup.restore import restore
from intervai_backup.settings import load_settings
from intervai_backup.verify import verify


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "intervai_backup", description="Databases and files of the suite. See docs/backup.md"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (
        ("backup", "write a backup to DIR, while the suite runs"),
        ("verify", "check the backup in DIR"),
        ("restore", "put the backup in DIR in place; the services must be stopped"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("folder", metavar="DIR", type=Path)
        if name == "restore":
            command.add_argument("--replace", action="store_true", help="also when there is data already")
    return parser.parse_args(arguments)


def perform(options: argparse.Namespace) -> None:
    folder = options.folder.resolve()
    if options.command == "verify":
        verify(folder)
        return
    settings = load_settings()
    if options.command == "backup":
        show_table(take(settings, folder))
        say(f"backup written to {folder}")
    else:
        manifest = restore(settings, folder, replace=options.replace)
        say(f"restored what was read at {manifest.oldest_read:%Y-%m-%d %H:%M:%S} UTC; start the services")


def interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, interrupt)
    try:
        perform(options)
    except (BackupError, PyMongoError, BotoCoreError, ClientError, RedisError, OSError) as error:
        print(f"{options.command} failed: {one_line(error)}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print(f"{options.command} interrupted", file=sys.stderr)  # noqa: T201
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
