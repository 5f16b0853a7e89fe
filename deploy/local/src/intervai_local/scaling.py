"""Changes how many instances run, while the suite works."""

from collections.abc import Collection, Mapping

from intervai_local import circus_config, gateway_config, parts, probes, spawns
from intervai_local.lifecycle import Suite
from intervai_local.parts import Plan, Process
from intervai_local.progress import StartProgress
from intervai_local.state import HOST, SERVICES, SuiteError

MOST_INSTANCES = 50
#: A new instance has this long to become ready: nobody waits for it, what ran before serves on.
READY_SECONDS = 120


def scale(suite: Suite, kind: str, count: int) -> None:
    """Run so many instances of a service or worker, and leave all other processes alone.

    Raises:
        SuiteError: unknown kind, senseless count, nothing runs, or a new instance did not come up.
    """
    if kind not in parts.COUNTS or not 0 <= count <= MOST_INSTANCES:
        raise SuiteError(f"usage: make scale SERVICE={'|'.join(parts.COUNTS)} N=0..{MOST_INSTANCES}")
    with suite.at_work():
        change_counts(suite, {**suite.state.read("suite.json")["counts"], kind: count})


def change_counts(suite: Suite, counts: Mapping[str, int], settings: Mapping[str, str] | None = None) -> None:
    """Run so many instances; the caller holds the lock. `settings`: what starts from now on gets them instead of those
    that the suite was started with.

    Raises:
        SuiteError: a new instance did not come up; then there are as many as before, and settings as before.
    """
    before = suite.state.read("suite.json")
    try:
        run_counts(suite, counts, settings)
    except BaseException:
        run_counts(suite, before["counts"], before["environment"])
        raise


def run_counts(suite: Suite, counts: Mapping[str, int], settings: Mapping[str, str] | None = None) -> None:
    """Run so many instances, whatever comes of it."""
    saved = suite.state.read("suite.json")
    names, wanted = parts.instances(saved["counts"]), parts.instances(counts)
    suite.state.write("suite.json", {**saved, "environment": dict(settings or saved["environment"])})
    plan = suite.plan(counts)
    suite.state.write("suite.json", {**suite.state.read("suite.json"), "counts": dict(counts)})
    _remove(suite, [name for name in names if name not in wanted], plan)
    base, services = parts.parts(plan), parts.services(plan)
    running = [*(part.name for part in base), *names]
    circus_config.write(suite.state, [*base, *services], dict(plan.ports), running)
    suite.supervisor.reload()
    _await_new(suite, [name for name in wanted if name not in names], plan)


def _remove(suite: Suite, names: Collection[str], plan: Plan) -> None:
    """Let instances drain and end; the gateway sees them go by their readiness, and forgets them after."""
    if names:
        started = suite.supervisor.pids()  # circus may not know one that it failed to start
        suite.stop_instances([name for name in names if name in started])
        spawns.forget(suite.state.spawns, names)
        gateway_config.write_services(suite.state, plan.counts, plan.ports)


def _await_new(suite: Suite, names: Collection[str], plan: Plan) -> None:
    """Wait for new instances, then let the gateway send to them."""
    fresh = [process for process in parts.services(plan) if process.name in names]
    gateway = gateway_with(plan, names)
    with StartProgress([*names, gateway.name], suite.console) as progress:
        suite.wait_until_ready(fresh, progress, READY_SECONDS)
        gateway_config.write_services(suite.state, plan.counts, plan.ports)
        suite.wait_until_ready([gateway], progress)


def gateway_with(plan: Plan, names: Collection[str]) -> Process:
    """The gateway: ready when it has found each of these instances healthy. It sends nothing to workers."""
    urls = [f"http://{HOST}:{plan.ports[name]}" for name in names if name.rpartition("-")[0] in SERVICES]
    return Process("gateway", (), {}, probes.gateway_knows(plan.ports["gateway-internal"], urls))
