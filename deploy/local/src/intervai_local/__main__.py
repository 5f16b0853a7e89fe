"""Runs the whole suite on one machine: `python -m intervai_local COMMAND`.

GATEWAY_PORT (8080), GATEWAY_HOST (127.0.0.1) and STATE_DIR (.local) choose the suite.
"""

import argparse
import os
import signal
import sys
from types import FrameType

from rich.console import Console

from intervai_local import environment, execute, logs, roll, scaling, status
from intervai_local.lifecycle import Suite
from intervai_local.state import SERVICES, State, SuiteError

DEFAULT_GATEWAY_PORT = 8080


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("intervai_local", description="Run the InterVAI suite on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start everything and return")
    commands.add_parser("down", help="stop everything; data stays")
    commands.add_parser("run", help="start everything and follow the logs; Ctrl-C stops it")
    commands.add_parser("status", help="show every process; exit 1 unless all are ready")
    commands.add_parser("clean", help="stop everything and delete STATE_DIR")
    log = commands.add_parser("logs", help="follow the logs")
    log.add_argument("names", nargs="*", help="services, workers, instances or parts; all by default")
    log.add_argument("--no-follow", action="store_true", help="print the last lines and return")
    scale = commands.add_parser("scale", help="run N instances of a service or worker")
    scale.add_argument("kind", metavar="SERVICE")
    scale.add_argument("count", metavar="N", type=int)
    rolling = commands.add_parser("roll", help="replace instances one by one, without a gap")
    rolling.add_argument("kinds", nargs="*", metavar="SERVICE", help="services and workers; all by default")
    rolling.add_argument("--setting", action="append", default=[], metavar="NAME", help="taken from the environment")
    beside = commands.add_parser("with", help="run a command with the settings of the running suite")
    beside.add_argument("--service", choices=SERVICES, help="the settings of this service instead")
    beside.add_argument("--paused", action="store_true", help="stop services and workers meanwhile")
    fresh = commands.add_parser("exec", help="run a command beside a fresh suite of its own")
    for command in (beside, fresh):
        command.add_argument("program", nargs=argparse.REMAINDER, metavar="-- CMD")
    return parser.parse_args(arguments)


def perform(options: argparse.Namespace, suite: Suite) -> int:
    environment.check(environment.caller())
    port = int(os.environ.get("GATEWAY_PORT") or DEFAULT_GATEWAY_PORT)
    match options.command:
        case "up":
            suite.up(port)
            suite.console.print(f"InterVAI answers at http://127.0.0.1:{port}", highlight=False)
        case "down":
            suite.console.print("stopped" if suite.down() else "nothing runs")
        case "run":
            logs.run(suite, port)
        case "logs":
            logs.follow(suite, options.names, follow=not options.no_follow)
        case "scale":
            scaling.scale(suite, options.kind, options.count)
        case "roll":
            roll.roll(suite, options.kinds, options.setting)
        case "clean":
            suite.down()
            suite.state.remove()
        case "status":
            return status.show(suite)
        case "with" | "exec":
            return run_program(options, suite)
    return 0


def run_program(options: argparse.Namespace, suite: Suite) -> int:
    if options.command == "exec":
        return execute.beside_fresh_suite(options.program, suite.console)
    return execute.beside_running_suite(options.program, suite, options.service, paused=options.paused)


def interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    options = parse(sys.argv[1:])
    console = Console(stderr=options.command in {"exec", "with"}, highlight=False)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        return perform(options, Suite(State.from_environment(), console))
    except SuiteError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # make passes on what we got ourselves
        return 0 if options.command == "logs" else 130


if __name__ == "__main__":
    sys.exit(main())
