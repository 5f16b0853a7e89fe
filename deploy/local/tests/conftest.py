import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from intervai_local import parts
from intervai_local.lifecycle import Suite
from intervai_local.parts import Plan
from intervai_local.state import State

CALLER = {"PATH": "/usr/bin:/bin", "HOME": "/root", "EXPORT_URL_TTL_SECONDS": "7", "OPENAI_API_KEY": "sk-caller"}
MakePlan = Callable[..., Plan]


@pytest.fixture
def state() -> Iterator[State]:
    """A suite's folder with a short path, as sockets in it need."""
    with tempfile.TemporaryDirectory(prefix="ivt-", dir="/tmp") as folder:
        made = State(Path(folder) / f"s{secrets.token_hex(2)}")
        made.create()
        yield made


@pytest.fixture
def make_plan(state: State) -> MakePlan:
    """Makes a plan from instance counts and what else the caller's environment holds; None takes a variable away."""

    def make(counts: dict[str, int] | None = None, **caller: str | None) -> Plan:
        wanted = {**parts.COUNTS, **(counts or {})}
        ports = state.ports([*parts.PART_PORTS, *parts.instances(wanted)])
        environment = {name: value for name, value in {**CALLER, **caller}.items() if value is not None}
        return Plan(state, environment, {**ports, "gateway": 20000}, state.secrets(), wanted)

    return make


@pytest.fixture
def plan(make_plan: MakePlan) -> Plan:
    return make_plan()


@pytest.fixture
def suite(state: State, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    """The parts of a suite, without services; it has not been started."""
    monkeypatch.setattr(parts, "COUNTS", dict.fromkeys(parts.COUNTS, 0))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-asked")
    monkeypatch.delenv("SMTP_URL", raising=False)  # of the suite that these tests run beside
    made = Suite(state, Console(stderr=True))
    yield made
    made.down()
