"""Starts and stops a suite."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]
from rich.console import Console

from intervai_local import circus_config, environment, gateway_config, parts, probes
from intervai_local.environment import DEFAULTS
from intervai_local.log_lines import render
from intervai_local.parts import Plan, Process
from intervai_local.progress import StartProgress
from intervai_local.state import HOST, State, SuiteError, is_free
from intervai_local.supervisor import CIRCUSD, Supervisor, processes_of, remove_sockets, stop_processes

START_SECONDS = 30
SERVICES_SECONDS = 60  # they all load at once, which a small or busy machine feels
POLL_SECONDS = 0.15
LOG_LINES = 15
LOG_WIDTH = 300


class Suite:
    """One suite: its folder, its circus, and the console that shows what happens."""

    def __init__(self, state: State, console: Console) -> None:
        self.state = state
        self.console = console
        self.supervisor = Supervisor(state)

    def up(self, gateway_port: int) -> None:
        """Start everything and wait until it is ready.

        Raises:
            SuiteError: it runs already, a port is in use, or a process did not come up; then nothing is left running.
        """
        with self.state.locked():
            if self.supervisor.is_running():
                raise SuiteError(
                    f"a suite already runs on {self.state.root}; see `make status`, stop it with `make down`"
                )
            self._stop_leftovers()
            host = os.environ.get("GATEWAY_HOST") or HOST
            check_gateway_port(host, gateway_port)
            plan = self._new_plan(gateway_port)
            settings = environment.gateway(plan.caller)
            if settings["GATEWAY_TLS"] != "off":
                check_gateway_port(host, int(settings["GATEWAY_TLS_PORT"]), "GATEWAY_TLS_PORT")
            gateway_config.write_static(self.state, host, gateway_port, plan.ports["gateway-internal"], settings)
            gateway_config.write_services(self.state, plan.counts, plan.ports)
            try:
                self._start(plan)
            except BaseException:
                self._stop()
                raise

    def _new_plan(self, gateway_port: int) -> Plan:
        counts = dict(parts.COUNTS)
        ports = self.state.ports([*parts.PART_PORTS, *parts.instances(counts)], excluding={gateway_port})
        caller = environment.caller()
        self.state.write("suite.json", {"gateway_port": gateway_port, "environment": caller, "counts": counts})
        return Plan(self.state, caller, {**ports, "gateway": gateway_port}, self.state.secrets(), counts)

    def plan(self, counts: Mapping[str, int] | None = None) -> Plan:
        """The plan of the running suite, with its own environment, and with other instance counts if given."""
        saved = self.state.read("suite.json")
        wanted, running = counts or saved["counts"], [*parts.PART_PORTS, *parts.instances(saved["counts"])]
        ports = self.state.ports({*running, *parts.instances(wanted)}, running, excluding={saved["gateway_port"]})
        ports["gateway"] = saved["gateway_port"]
        return Plan(self.state, saved["environment"], ports, self.state.secrets(), wanted)

    def _start(self, plan: Plan) -> None:
        base, services = parts.parts(plan), parts.services(plan)
        # By the internal entry point: with TLS the public one only redirects.
        gateway = Process("gateway", (), {}, probes.http(plan.ports["gateway-internal"], "/.well-known/jwks.json"))
        ours = [*services, gateway] if services else []
        with StartProgress([item.name for item in (*base, *ours)], self.console) as progress:
            circus_config.write(self.state, base, dict(plan.ports))
            self.supervisor.start()
            # S3 takes three idle seconds to elect itself: services load meanwhile, and are ready only after it.
            slow = [process for process in base if process.name == parts.S3]
            self.wait_until_ready([process for process in base if process not in slow], progress)
            circus_config.write(self.state, [*base, *services], dict(plan.ports))
            self.supervisor.reload()
            self.wait_until_ready([*slow, *ours], progress, SERVICES_SECONDS)

    def wait_until_ready(
        self, processes: Sequence[Process], progress: StartProgress, seconds: float = START_SECONDS
    ) -> None:
        """Poll all until each is ready.

        Raises:
            SuiteError: one ended, or is not ready in time; the text holds the end of its log.
        """
        waiting, deadline = list(processes), time.monotonic() + seconds
        with ThreadPoolExecutor(len(waiting) or 1) as pool:
            while waiting:
                answers = list(pool.map(lambda process: process.ready(), waiting))
                for process, ready in zip(waiting, answers, strict=True):
                    if ready:
                        progress.ready(process.name)
                waiting = [process for process, ready in zip(waiting, answers, strict=True) if not ready]
                self._check_alive(waiting)
                if waiting and time.monotonic() > deadline:
                    raise SuiteError(self._failure(waiting[0].name, f"was not ready after {seconds:.0f} s"))
                time.sleep(POLL_SECONDS)

    def _check_alive(self, waiting: Sequence[Process]) -> None:
        started = self.supervisor.pids()
        for process in waiting:
            if len(started.get(process.name, [])) > 1:
                raise SuiteError(self._failure(process.name, "ended while it was starting"))

    def _failure(self, name: str, what: str) -> str:
        file = self.state.logs / f"{'traefik' if name == 'gateway' else name}.log"
        lines = file.read_text(errors="replace").splitlines()[-LOG_LINES:] if file.exists() else ["(it wrote no log)"]
        shown = [text.plain[:LOG_WIDTH] for line in lines if (text := render(name, line))]
        mend = f"mend what its log says ({file}), then start again; `make clean` starts from fresh data"
        return "\n".join([f"{name} {what}; the end of its log:", *(f"  {line}" for line in shown), mend])

    def down(self) -> bool:
        """Stop everything: services first, then the parts; False when nothing ran. Data stays."""
        with self.state.locked():
            return self._stop()

    def _stop(self) -> bool:
        if not self.supervisor.is_running():
            return self._stop_leftovers()
        try:
            self._stop_gracefully()
        except SuiteError as error:
            self.console.print(f"[yellow]{error}; stopping the processes one by one")
        self._stop_leftovers()
        return True

    def _stop_gracefully(self) -> None:
        names = [name for name in self.supervisor.pids() if is_service(name)]
        self.stop_instances(names)
        self.supervisor.quit()

    def _stop_seconds(self) -> float:
        saved = self.state.read("suite.json").get("environment", {})
        return float(saved.get("DRAIN_SECONDS") or DEFAULTS["DRAIN_SECONDS"]) + parts.STOP_SECONDS + 5

    def _stop_leftovers(self) -> bool:
        """Stop processes of the suite that no circus minds any more; circus first, or it would restart the others."""
        left = processes_of(self.state)
        groups = [
            [process for name, group in left.items() if select(name) for process in group]
            for select in (
                lambda name: name == CIRCUSD,
                is_service,
                lambda name: name != CIRCUSD and not is_service(name),
            )
        ]
        for index, group in enumerate(groups):
            stop_processes(group, 2 if index == 0 else self._stop_seconds())
        remove_sockets(self.state)
        return bool(left)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold the lock of the running suite.

        Raises:
            SuiteError: nothing runs, or another command is at work.
        """
        with self.state.locked():
            if not self.supervisor.is_running():
                raise SuiteError("no suite runs; start it with `make up`")
            yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Services and workers stand still meanwhile; databases, storage and the gateway go on.

        Raises:
            SuiteError: nothing runs, or a service did not come back.
        """
        with self.at_work():
            services = parts.services(self.plan())
            self.stop_instances([process.name for process in services])
            try:
                yield
            finally:
                self.supervisor.start_again([process.name for process in services])
                with StartProgress([process.name for process in services], self.console) as progress:
                    self.wait_until_ready(services, progress, SERVICES_SECONDS)

    def stop_instances(self, names: Iterable[str]) -> None:
        """Let services and workers drain, finish and end; returns when they have."""
        self.supervisor.stop(names, self._stop_seconds())


def is_service(name: str) -> bool:
    return name.rpartition("-")[0] in parts.COUNTS


def check_gateway_port(host: str, port: int, setting: str = "GATEWAY_PORT") -> None:
    """
    Raises:
        SuiteError: the port is taken; says by whom if that can be seen.
    """
    if is_free(port, host):
        return
    owner = "another program"
    try:
        for connection in psutil.net_connections("inet"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                owner = f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass  # seeing others' sockets needs rights on some systems
    raise SuiteError(f"port {port} is in use by {owner}; set {setting}=… to another")
