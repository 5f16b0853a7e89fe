"""Runs a command with the settings of a suite: the running one, or a fresh one that exists only for it."""

import shutil
import subprocess
import tempfile
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from intervai_local import environment
from intervai_local.lifecycle import Suite
from intervai_local.state import State, SuiteError, free_port
from intervai_local.watch import mongo_watched


def beside_fresh_suite(program: list[str], console: Console) -> int:
    """Start a suite in a temporary folder on a free port, run the command with its settings, stop it again.

    Returns:
        The command's exit code. When it is not 0 the folder is kept, with its logs, and its path printed.
    """
    command = _command(program, "exec -- CMD…")
    # /tmp and not $TMPDIR: a short path leaves room for sockets in it.
    state = State(Path(tempfile.mkdtemp(prefix="intervai-", dir="/tmp")))
    suite, code = Suite(state, console), 1
    try:
        suite.up(free_port())
        with mongo_watched(suite):
            code = run(command, suite)
    finally:
        suite.down()
        if code == 0:
            shutil.rmtree(state.root)
        else:
            console.print(f"the suite's logs and data are kept in {state.root}", markup=False)
    return code


def beside_running_suite(program: list[str], suite: Suite, service: str | None, *, paused: bool = False) -> int:
    """Run the command with the settings of the running suite, or with those of one of its services; `paused`: while
    its services and workers stand still.

    Returns:
        The command's exit code.
    """
    command = _command(program, "with [--service NAME] -- CMD…")
    if not suite.supervisor.is_running():
        raise SuiteError("no suite runs; start it with `make up`")
    with suite.paused() if paused else nullcontext():
        return run(command, suite, service)


def _command(program: list[str], usage: str) -> list[str]:
    command = program[1:] if program[:1] == ["--"] else program
    if not command:
        raise SuiteError(f"usage: {usage}")
    return command


def run(command: list[str], suite: Suite, service: str | None = None) -> int:
    plan = suite.plan()
    made = environment.suite(plan.caller, plan.ports, plan.secrets)
    if service:
        made = environment.service(service, plan.caller, plan.ports, plan.secrets)
    # What the caller of this command has set reaches it too (a bench's RATE=…), but changes nothing of the suite's.
    settings = environment.caller() | made | {"STATE_DIR": str(suite.state.root)}
    try:
        process = subprocess.Popen(command, env=settings)  # noqa: S603
    except OSError as error:
        raise SuiteError(f"cannot run {command[0]}: {error.strerror}") from error
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()  # unlike os.kill it knows of a process that has ended by itself
        return process.wait() or 130
    return code if code >= 0 else 128 - code  # as a shell tells of a signal
