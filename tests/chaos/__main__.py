"""The chaos suite: `python -m intervai_local exec -- python -m tests.chaos --faults 200 --requests 5000`.

Drives known requests through the gateway while it breaks every process of the suite in turn, then reconciles. Exits 1
unless nothing is lost, doubled, stuck or an orphan. It needs a suite of its own, with RATE_LIMIT_SCALE=0.
"""

import argparse
import asyncio
import json
import os
import secrets
import sys
import time
from pathlib import Path

from rich.console import Console

from intervai_local.state import State
from tests.chaos import report
from tests.chaos.client import PATIENCE_SECONDS
from tests.chaos.faults import KINDS, Injector, wake_all
from tests.chaos.ledger import Ledger
from tests.chaos.reconcile import check, counted
from tests.chaos.report import Run
from tests.chaos.snapshot import settle, take
from tests.chaos.workload import Crowd

#: Requests that may be made in advance of the faults.
SLACK = 20
#: Seconds without a new request after which one is made even so: a long fault meets some too.
TRICKLE_SECONDS = 0.2
SHOW_SECONDS = 10.0
#: Columns of the tables, also where the output goes into a file.
WIDTH = 180


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("tests.chaos", description="Break everything, then count.")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--people", type=int, default=16, help="who work at the same time")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the order of the faults")
    parser.add_argument(
        "--settle", type=float, default=240.0, metavar="SECONDS", help="what has not ended then is stuck"
    )
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS", help="until a request is given up"
    )
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of faults")
    parser.add_argument("--victims", default="", help="instances; all by default")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a Markdown page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers")
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="write every request")
    return parser.parse_args(arguments)


async def chaos(options: argparse.Namespace, console: Console) -> Run:
    state, ledger = State.from_environment(), Ledger()
    victims = options.victims.split(",") if options.victims else []
    injector = Injector(state, options.faults, options.seed, kinds=options.kinds.split(","), victims=victims)

    def is_due() -> bool:
        return len(ledger.requests) < int(options.requests) * injector.progress + SLACK or ledger.idle > TRICKLE_SECONDS

    crowd = Crowd(os.environ["GATEWAY_URL"], ledger, options.people, options.seed, is_due, options.patience)
    console.print(f"seed {options.seed}: {options.faults} faults on {len(injector.processes)} processes")
    started = time.monotonic()
    watching = asyncio.create_task(_tell(injector, ledger, console))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(crowd.run())
            await injector.run(lambda: (len(ledger.requests) + SLACK) / options.requests)
            while len(ledger.requests) < options.requests:  # noqa: ASYNC110  it has no end to tell of
                await asyncio.sleep(0.1)
            crowd.has_ended = True
    finally:
        wake_all(state)
        watching.cancel()
    minutes = (time.monotonic() - started) / 60
    settled = await settle(os.environ["MONGO_URI"], options.settle)
    found = await take(ledger, os.environ["MONGO_URI"], os.environ["GATEWAY_URL"])
    return Run(options.seed, ledger, injector.faults, found, check(ledger, found), minutes, settled)


async def _tell(injector: Injector, ledger: Ledger, console: Console) -> None:
    while True:
        await asyncio.sleep(SHOW_SECONDS)
        last = injector.faults[-1] if injector.faults else None
        what = f"{last.kind} {last.victim}" if last else "-"
        surprises = len(ledger.surprises)
        console.print(f"{len(injector.faults)} faults, {len(ledger.requests)} requests, {surprises} surprises; {what}")


def main() -> int:
    options, console = parse(sys.argv[1:]), Console(highlight=False, soft_wrap=True, width=WIDTH)
    run = asyncio.run(chaos(options, console))
    report.show(run, console)
    if options.report:
        report.write(run, options.report)
    if options.json:
        findings = [[finding.kind, finding.id, finding.what] for finding in run.findings]
        numbers = {"faults": len(run.faults), "requests": len(run.ledger.requests), **counted(run.findings)}
        options.json.write_text(json.dumps({**numbers, "findings": findings}))
    if options.ledger:
        run.ledger.save(options.ledger)
    return 0 if run.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
