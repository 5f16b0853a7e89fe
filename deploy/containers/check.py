"""Starts every process of the suite from its image against real parts, sees it ready, and ends it with SIGTERM.

The parts and the settings are the local runner's (deploy/local), on free ports with fresh data. Each process must come
up as uid 10001 with a root file system it cannot write to, and leave within its grace period.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from intervai_local import gateway_config, parts
from intervai_local.environment import PLAIN
from intervai_local.state import HOST, State, free_port

START_SECONDS = 60
BUILDAH = os.environ.get("BUILDAH", "buildah --storage-driver vfs").split()
UID = 10001


class CheckError(Exception):
    """A process that does not do what it should; its text is what to print."""


def plan(folder: Path) -> parts.Plan:
    """A suite of one instance a kind, in a folder of its own, with nothing of the caller's settings."""
    state = State(folder)
    state.create()
    caller = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ports = state.ports([*parts.PART_PORTS, *parts.instances(parts.COUNTS)])
    ports["gateway"] = free_port(excluding=set(ports.values()))
    gateway_config.write_static(state, HOST, ports["gateway"], ports["gateway-internal"])
    gateway_config.write_services(state, parts.COUNTS, ports)
    return parts.Plan(state, caller, ports, state.secrets(), parts.COUNTS)


def run_command(engine: str, image: str, process: parts.Process) -> Iterator[str]:
    """The engine's command line that runs a process of an image on the machine's own network."""
    settings = {name: value for name, value in process.environment.items() if name not in PLAIN}
    variables = [f"--env={name}={value}" for name, value in settings.items()]
    yield from [*BUILDAH, "run", "--isolation=chroot"] if engine == "buildah" else [engine, "run", "--rm"]
    if engine != "buildah":
        yield from ["--network=host", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"]
        yield from ["--security-opt=no-new-privileges"]
    yield from [*variables, *(["--"] if engine == "buildah" else []), image, "python", *process.command[1:]]


def output(*command: str) -> str:
    """Runs a command to its end; what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


@contextmanager
def working_container(engine: str, image: str) -> Iterator[str]:
    """What the engine runs: the image's name, or the container that buildah makes of it."""
    if engine != "buildah":
        yield image
        return
    container = output(*BUILDAH, "from", "--pull=never", image)
    try:
        yield container
        check_untouched(container)
    finally:
        output(*BUILDAH, "rm", container)


def check_untouched(container: str) -> None:
    """buildah has no read-only root: see instead that the processes left nothing outside /tmp."""
    mounted = Path(output(*BUILDAH, "mount", container))
    written = output("find", str(mounted), "-xdev", "-uid", str(UID), "-not", "-path", str(mounted / "tmp/*"))
    if written:
        raise CheckError(f"{container} wrote to its root file system: {written}")


@contextmanager
def running(command: list[str], process: parts.Process, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Starts a process and waits until it is ready; whatever happens, it is gone afterwards.

    Raises:
        CheckError: it ended, or was not ready in time; with the end of its log.
    """
    with log.open("wb") as file:
        child = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=dict(process.environment)
        )
    try:
        give_up = time.monotonic() + START_SECONDS
        while not process.ready():
            if child.poll() is not None or time.monotonic() > give_up:
                raise CheckError(f"{process.name} is not ready:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield child
    finally:
        if child.poll() is None:
            for pid in [*descendants(child.pid), child.pid]:
                os.kill(pid, signal.SIGKILL)
        child.wait()


def descendants(pid: int) -> list[int]:
    """The processes below a process, parents first."""
    below: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            below += [int(child), *descendants(int(child))]
    return below


def process_of(engine: str, child: int) -> int:
    """The process to signal: an engine with a daemon passes signals on, buildah runs it as its own descendant."""
    if engine != "buildah":
        return child
    return next(pid for pid in descendants(child) if Path(f"/proc/{pid}/comm").read_text().startswith("python"))


def check_process(engine: str, image: str, process: parts.Process, log: Path) -> str:
    """Starts, sees ready, asks to end: what was seen, in one line."""
    started = time.monotonic()
    with running(list(run_command(engine, image, process)), process, log) as child:
        seen = f"ready in {time.monotonic() - started:.1f} s"
        inner = process_of(engine, child.pid)
        if engine == "buildah":
            if (user := Path(f"/proc/{inner}").stat().st_uid) != UID:
                raise CheckError(f"{process.name} runs as uid {user}, not {UID}")
            pages = int(Path(f"/proc/{inner}/statm").read_text().split()[1])
            seen += f", {pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f} MiB"
        asked = time.monotonic()
        os.kill(inner, signal.SIGTERM)
        try:
            child.wait(process.stop_seconds)
        except subprocess.TimeoutExpired as error:
            raise CheckError(f"{process.name} still runs {process.stop_seconds:.0f} s after SIGTERM") from error
    if child.returncode != 0:
        raise CheckError(f"{process.name} ended with status {child.returncode}:\n{log.read_text()[-2000:]}")
    return f"{seen}, ended {time.monotonic() - asked:.1f} s after SIGTERM"


def image_processes(plan: parts.Plan) -> dict[str, list[parts.Process]]:
    """The processes of each image."""
    images: dict[str, list[parts.Process]] = {}
    for process in parts.services(plan):
        images.setdefault(f"{process.name.split('-')[0]}-service", []).append(process)
    images[parts.OFFLINE_LLM] = [parts.offline_llm(plan)]
    return images


def check(engine: str, prefix: str, tag: str, folder: Path) -> None:
    suite = plan(folder)
    with ExitStack() as stack:
        for part in (parts.mongo(suite), parts.valkey(suite), parts.s3(suite), parts.traefik(suite), parts.mail(suite)):
            stack.enter_context(running(list(part.command), part, folder / f"{part.name}.log"))
        for name, processes in image_processes(suite).items():
            with working_container(engine, f"{prefix}/{name}:{tag}") as image:
                for process in processes:
                    seen = check_process(engine, image, process, folder / f"{process.name}.log")
                    print(f"{process.name:20} {seen}", flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["docker", "podman", "buildah"], required=True)
    parser.add_argument("--prefix", default="intervai")
    parser.add_argument("--tag", default="local")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="images-check-") as folder:
        try:
            check(arguments.engine, arguments.prefix, arguments.tag, Path(folder))
        except CheckError as error:
            sys.exit(f"check: {error}")


if __name__ == "__main__":
    main()
