"""The circuit breaker: what opens it, and above all what does not (docs/decisions/0025-what-opens-the-circuit.md)."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from intervai_local.state import write_private

#: The middlewares as they are, with times that a test can wait for.
SHORTER = {
    "responseHeaderTimeout: 30s": "responseHeaderTimeout: 1s",
    "LatencyAtQuantileMS(50.0) > 5000": "LatencyAtQuantileMS(50.0) > 500",
    "fallbackDuration: 10s": "fallbackDuration: 3s",
    "recoveryDuration: 10s": "recoveryDuration: 2s",
}


def answers_within(edge: Any, seconds: float) -> int:
    """The status of an answer, 0 when there is none in time."""
    try:
        return int(edge.public.get("/api/v1/users/me", timeout=seconds).status_code)
    except httpx.ReadTimeout:
        return 0


@pytest.fixture(scope="module")
def quick(start_edge: Callable[..., Any]) -> Any:
    edge = start_edge()
    file = edge.state.gateway / "dynamic" / "middlewares.yml"
    text = file.read_text()
    for long, short in SHORTER.items():
        assert text.count(long) == 1, long
        text = text.replace(long, short)
    write_private(file, text)
    (backend,) = edge.backends["user-service"]
    backend.hang, ends = True, time.monotonic() + 60
    while answers_within(edge, 5) != 504:  # until the file is loaded
        assert time.monotonic() < ends
    backend.hang = False
    return edge


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_service_that_hangs_is_left_alone_and_taken_back(quick: Any, method: str) -> None:
    (backend,) = quick.backends["export-service"]
    path = f"/api/v1/exports/{method.lower()}"
    assert quick.public.request(method, path).status_code == 200
    backend.hang = True
    statuses, asked = [], []
    while 503 not in statuses and len(statuses) < 8:
        statuses.append(quick.public.request(method, path).status_code)
    assert statuses[0] == 504
    assert statuses[-1] == 503
    asked = len(backend.seen)
    refused = [quick.public.request(method, path) for _ in range(20)]
    assert {answer.status_code for answer in refused} == {503}
    assert len(backend.seen) == asked
    assert quick.public.get("/api/v1/sessions").status_code == 200  # the others answer
    backend.hang = False
    ends = time.monotonic() + 30
    while quick.public.request(method, path).status_code != 200:
        assert time.monotonic() < ends
        time.sleep(0.2)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_one_lost_request_of_a_quiet_service_does_not_open_it(quick: Any, method: str) -> None:
    """All that this router saw in ten seconds has failed; and yet the service is well."""
    (backend,) = quick.backends["auth-service"]
    backend.drop = 1
    assert quick.public.request(method, "/api/v1/auth/x").status_code == 502
    time.sleep(0.2)  # more than the breaker's checkPeriod
    assert {quick.public.request(method, "/api/v1/auth/x").status_code for _ in range(10)} == {200}


def test_what_a_service_refuses_by_itself_does_not_open_it(quick: Any) -> None:
    (backend,) = quick.backends["auth-service"]
    backend.refuse = 10
    answers = [quick.public.post("/api/v1/auth/x") for _ in range(10)]
    assert [answer.status_code for answer in answers] == [503] * 10
    assert {answer.headers["Retry-After"] for answer in answers} == {"2"}
    assert quick.public.post("/api/v1/auth/x").status_code == 200
