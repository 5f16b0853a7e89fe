"""Loses one of two regions: `python -m tests.regions [--report FILE]`. It takes two suites, 2 GB and a few minutes."""

import argparse
import re
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.cdn.nginx import NGINX, ROOT, running_nginx
from tests.regions.people import Person, Seen, look
from tests.regions.suites import Region, two_regions, until

FRONT = ROOT / "deploy/multi-region/front.conf.template"
PHASES = ("both there", "EU lost", "EU back")
LATER = "opens that link when the edge's 30 s are over"
#: Between these the report of a run replaces that of the last one.
MARKS = ("<!-- simulation -->", "<!-- /simulation -->")
Table = dict[tuple[str, str, str], Seen]


def main() -> int | str:
    """Runs it and prints the report."""
    parser = argparse.ArgumentParser("tests.regions", description=__doc__)
    parser.add_argument("--report", type=Path, help="a page whose figures are replaced")
    parser.add_argument("--first-port", type=int, default=21_000)
    options = parser.parse_args()
    if NGINX is None:
        return "nginx is needed (Debian: apt-get install nginx-light)"
    with tempfile.TemporaryDirectory(prefix="regions-", dir="/tmp") as folder:
        report = simulate(Path(folder), options.first_port)
    sys.stdout.write(f"{report}\n")
    if options.report:
        page = options.report.read_text()
        begin, end = (re.escape(mark) for mark in MARKS)
        new = f"{MARKS[0]}\n{report}\n{MARKS[1]}"
        options.report.write_text(re.sub(f"{begin}.*{end}", lambda _: new, page, flags=re.DOTALL))
    return 0


def simulate(folder: Path, first_port: int) -> str:
    """The report of one run, as Markdown."""
    with two_regions(folder, first_port) as (eu, us):
        addresses = {"EU": f"127.0.0.1:{eu.port}", "US": f"127.0.0.1:{us.port}"}
        with (
            running_nginx(FRONT, HERE="us", **addresses) as front,
            httpx.Client(base_url=front.url, trust_env=False, timeout=60) as client,
        ):
            people = [Person("eu", client), Person("us", client)]
            for person in people:
                person.settle()
            return _story(people, eu)


def _story(people: list[Person], eu: Region) -> str:
    table: Table = {}
    ada = people[0]

    def reads() -> bool:
        return ada.ask("GET", f"/api/v1/sessions/{ada.session}").is_success

    until(60, lambda: ada.ask("GET", "/docs").is_success)  # the services describe themselves for the first time
    _phase(table, people, PHASES[0])
    look(lambda: ada.ask("GET", ada.link, anonymous=True), 1)
    killed = eu.lose()
    noticed = until(30, lambda: not reads())
    _phase(table, people, PHASES[1])
    time.sleep(31)
    for person in people:
        table[PHASES[1], person.region, LATER] = look(lambda one=person: one.ask("GET", one.link, anonymous=True), 1)
    begun = time.monotonic()
    eu.start()
    until(120, reads)
    returned = time.monotonic() - begun
    _phase(table, people, PHASES[2])
    made = len(ada.ask("GET", "/api/v1/sessions?limit=100").json()["items"])
    good = 1 + sum(status == 201 for phase in PHASES for status in table[phase, "eu", "makes a session"].statuses)
    return _report(table, killed, noticed, returned, made, good)


def _phase(table: Table, people: list[Person], phase: str) -> None:
    for person in people:
        for name, do in person.doings().items():
            table[phase, person.region, name] = look(do)


def _report(table: Table, killed: int, noticed: float, returned: float, made: int, good: int) -> str:
    names = list(dict.fromkeys(name for _, _, name in table))
    columns = [(region, phase) for region in ("eu", "us") for phase in PHASES]
    head = ["what a person does", *(f"{region.upper()}: {phase}" for region, phase in columns)]
    rows = [
        [
            name,
            *(str(table[phase, region, name]) if (phase, region, name) in table else "" for region, phase in columns),
        ]
        for name in names
    ]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    told = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `make regions`. A cell: the statuses of five tries, the median",
        "time, and what the front's cache gave.",
        "",
        *lines,
        "",
        f"- Killed at once: {killed} processes of the EU suite. {noticed:.1f} s later its people were told so.",
        f"- Started again on its data, the EU answered after {returned:.0f} s.",
        f"- Sessions the EU person was told are made: {good}. Found afterwards: {made}.",
    ]
    return "\n".join(told)


if __name__ == "__main__":
    sys.exit(main())
