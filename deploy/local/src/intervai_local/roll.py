"""Replaces running instances by new ones, one at a time, without a gap: for new code or new settings.

First one more instance starts. When it is ready, and the gateway sends to it, the old ones drain, end and start again
in their places, one after the other; then the one more goes. So there are never fewer than before, and if the new code
does not start, that is seen before an old instance has gone. An instance keeps its port: the gateway's list of servers
changes only at the beginning and at the end (each change resets its counts of open requests, traefik #13913).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from intervai_local import environment, parts, scaling
from intervai_local.lifecycle import Suite
from intervai_local.progress import StartProgress
from intervai_local.state import SuiteError


def roll(suite: Suite, kinds: Sequence[str] = (), settings: Sequence[str] = ()) -> None:
    """Replace all instances of these services and workers, of all when none is named.

    `settings` names variables that the new ones take from the environment of the caller; what is not set there is taken
    away. They hold for the whole suite: who is not replaced now gets them at its next start.

    Raises:
        SuiteError: unknown kind, nothing runs, settings that need a new start of the parts, or a new instance did not
            come up: the roll stops there, and what has not been replaced goes on.
    """
    if unknown := [kind for kind in kinds if kind not in parts.COUNTS]:
        raise SuiteError(f"no such service: {', '.join(unknown)}; usage: make roll SERVICE={'|'.join(parts.COUNTS)}")
    with suite.at_work():
        running = suite.state.read("suite.json")["counts"]
        wanted = _new_settings(suite, settings)
        for kind in kinds or parts.COUNTS:
            if running[kind]:
                _roll_kind(suite, kind, running, wanted)


def _new_settings(suite: Suite, names: Sequence[str]) -> dict[str, str]:
    plan, caller = suite.plan(), environment.caller()
    kept = {name: value for name, value in plan.caller.items() if name not in names}
    wanted = {**kept, **{name: caller[name] for name in names if name in caller}}
    if [part.name for part in parts.parts(plan)] != [part.name for part in parts.parts(replace(plan, caller=wanted))]:
        raise SuiteError("with these settings the suite has other parts: `make down up`")
    return wanted


def _roll_kind(suite: Suite, kind: str, counts: dict[str, int], settings: Mapping[str, str]) -> None:
    extra = f"{kind}-{counts[kind] + 1}"
    suite.console.print(f"{kind}: {extra} first, then the others one by one, then without {extra}", soft_wrap=True)
    try:
        scaling.change_counts(suite, {**counts, kind: counts[kind] + 1}, settings)
    except SuiteError as error:
        raise SuiteError(f"{error}\nnothing of {kind} was replaced: what ran goes on") from error
    try:
        for number in range(1, counts[kind] + 1):
            _restart(suite, f"{kind}-{number}")
    except SuiteError as error:
        mend = f"{extra} stays in its place; mend it and roll again, then `make scale SERVICE={kind} N={counts[kind]}`"
        raise SuiteError(f"{error}\nthe roll of {kind} stopped; {mend}") from error
    scaling.change_counts(suite, counts)


def _restart(suite: Suite, name: str) -> None:
    plan = suite.plan()
    process = next(process for process in parts.services(plan) if process.name == name)
    started = time.monotonic()
    try:
        suite.stop_instances([name])
    finally:
        suite.supervisor.start_again([name])
    suite.console.print(f"ended {name:18} {time.monotonic() - started:4.1f} s", highlight=False)
    gateway = scaling.gateway_with(plan, [name])
    with StartProgress([name, gateway.name], suite.console) as progress:
        suite.wait_until_ready([process], progress, scaling.READY_SECONDS)
        suite.wait_until_ready([gateway], progress)
