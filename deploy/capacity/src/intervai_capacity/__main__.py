"""`python -m intervai_capacity plan | files`: what a load needs and costs; the files made of deploy/tiers.yaml."""

import argparse
import sys

from rich.console import Console

from intervai_capacity import blueprints, report, variables
from intervai_capacity.costs import DEFAULT_MODEL, costs_of, model_costs
from intervai_capacity.measured import load_measured
from intervai_capacity.plan import Verdict, judge
from intervai_capacity.tiers import REPOSITORY, CapacityError, Load, Tiers, load_tiers

#: Of the tables; a terminal that is narrower wraps their lines.
WIDTH = 110


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("intervai_capacity", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    plan = commands.add_parser("plan", help="each tier under its load, or one, or the cheapest that carries a load")
    plan.add_argument("--tier", help="only this one")
    plan.add_argument("--requests", type=_amount, help="a minute")
    plan.add_argument("--questions", type=_amount, help="a day")
    plan.add_argument("--exports", type=_amount, help="a day")
    plan.add_argument("--model", default=DEFAULT_MODEL, help="whose price the questions have")
    files = commands.add_parser("files", help="write deploy/render and deploy/compose/tier-N.env")
    files.add_argument("--check", action="store_true", help="only say what is not as it would be written")
    return parser.parse_args(arguments)


def _amount(text: str) -> float:
    number = float(text.replace(",", ""))
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def plan(options: argparse.Namespace, console: Console) -> int:
    """Prints the pages.

    Returns:
        1 when the load fits nowhere, else 0.
    """
    tiers, measured = load_tiers(), load_measured()
    report.assumptions(console, measured)
    asked = (options.requests, options.questions, options.exports)
    load = None if asked == (None, None, None) else _load(asked)
    if options.tier and options.tier not in tiers.by_name:
        raise CapacityError(f"there is no {options.tier}; there are {', '.join(tiers.by_name)}")
    chosen = [tiers.by_name[options.tier]] if options.tier else tiers.tiers
    verdicts = [judge(tiers, tier, measured, load) for tier in chosen]
    if load and not options.tier:
        verdicts = cheapest(tiers, verdicts, console)
    for verdict in verdicts:
        model = (options.model, model_costs(verdict, options.model))
        report.show(console, tiers, verdict, costs_of(tiers, verdict), model)
    return 0 if any(verdict.fits for verdict in verdicts) else 1


def _load(asked: tuple[float | None, ...]) -> Load:
    requests, questions, exports = (each or 0 for each in asked)
    return Load(requests_per_minute=requests, questions_per_day=questions, exports_per_day=exports)


def cheapest(tiers: Tiers, verdicts: list[Verdict], console: Console) -> list[Verdict]:
    """The cheapest that fits, by what has a price, or the largest. Says which were passed over, and why."""
    ordered = sorted(verdicts, key=lambda verdict: costs_of(tiers, verdict).total)
    for number, verdict in enumerate(ordered):
        if verdict.fits:
            console.print(f"[bold]{verdict.tier.name} is the cheapest that carries it")
            return ordered[number : number + 1]
        console.print(f"{verdict.tier.name} does not: {'; '.join(verdict.short)}")
    console.print("[bold]no tier carries it; the largest is")
    return ordered[-1:]


def files(tiers: Tiers, console: Console, *, check: bool) -> int:
    """Writes, or compares.

    Returns:
        1 when something differs that was only to be compared, else 0.
    """
    stale = 0
    for file, text in (*blueprints.files(tiers), *variables.files(tiers)):
        if file.exists() and file.read_text() == text:
            continue
        stale += 1
        console.print(f"{'differs' if check else 'wrote'} {file.relative_to(REPOSITORY)}", highlight=False)
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return int(check and stale > 0)


def main() -> int:
    """Exit code 1, with one line for each thing that is wrong."""
    options, console = parse(), Console(soft_wrap=True, highlight=False)
    console.width = max(console.width, WIDTH)
    try:
        return (
            plan(options, console) if options.command == "plan" else files(load_tiers(), console, check=options.check)
        )
    except CapacityError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(str(error), markup=False)
        return 1


if __name__ == "__main__":
    sys.exit(main())
