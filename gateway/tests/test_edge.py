"""What a client can and cannot do through the real Traefik."""

import socket
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest


class Edge(Protocol):
    public: httpx.Client
    internal: httpx.Client
    backends: dict[str, list[Any]]
    port: int
    log: Path


TRICKS = [
    "/internal/x",
    "//internal/x",
    "/./internal/x",
    "/api/v1/../../internal/x",
    "/api/v1/auth/../../../internal/x",
    "/api/v1/auth/%2e%2e/%2e%2e/%2e%2e/internal/x",
    "/api/v1/auth/..%2f..%2f..%2finternal/x",
    "/api/v1/auth/%2e%2e%2finternal/x",
    "/api/v1/auth/%252e%252e/internal/x",
    "/api/v1/auth/%5c..%5cinternal/x",
    "/api/v1/auth/%00/internal/x",
    "/api/v1/sessions//..//../../internal/x",
    "http://127.0.0.1/internal/x",
    "/health/ready",
    "/metrics",
    "/ping",
    "/qa-service/internal/x",
]


def raw_status(port: int, target: str) -> int:
    """The status of a GET whose path no client library has tidied."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(100).split()[1])


@pytest.mark.parametrize("target", TRICKS)
def test_no_path_reaches_what_is_internal(edge: Edge, target: str) -> None:
    before = [len(item.seen) for group in edge.backends.values() for item in group]
    assert raw_status(edge.port, target) in {400, 404}
    assert [len(item.seen) for group in edge.backends.values() for item in group] == before


def test_a_path_that_holds_a_secret_is_in_no_log_of_the_gateway(edge: Edge) -> None:
    for path in ("shared/sessions/SECRET", "shared/templates/SECRET", "users/erasures/SECRET", "sessions/no-secret"):
        assert edge.public.get(f"/api/v1/{path}/refused").status_code == 404
    assert edge.public.post("/api/v1/shared/templates/SECRET/refused").status_code == 404
    assert edge.public.get("/api/v1/sessions/last/refused").status_code == 404
    deadline = time.monotonic() + 10
    while "/api/v1/sessions/last" not in (log := edge.log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "/api/v1/sessions/no-secret" in log
    assert "SECRET" not in log


def test_services_call_each_other_through_the_internal_entry_point(edge: Edge) -> None:
    answer = edge.internal.get("/qa-service/internal/sessions/5f?full=1").json()
    assert answer["path"] == "/internal/sessions/5f?full=1"
    assert answer["port"] in [item.port for item in edge.backends["qa-service"]]
    assert edge.internal.get("/.well-known/jwks.json").status_code == 200
    assert edge.internal.get("/internal/x").status_code == 404


def test_identity_cannot_be_claimed_by_a_header(edge: Edge) -> None:
    claims = {
        "X-User-Id": "1", "X_User_Id": "1", "X-User-Roles": "admin", "X-Service-Id": "qa-service", "X-Session-Id": "1",
        "Forwarded": "for=6.6.6.6", "X-Forwarded-For": "6.6.6.6", "X-Real-Ip": "6.6.6.6",
        "X-Original-Url": "/internal/x", "X-Http-Method-Override": "DELETE",
    }  # fmt: skip
    passing = {"X-Request-Id": "r-1", "Authorization": "Bearer t", "Idempotency-Key": "k", "traceparent": "00-a-b-01"}
    answer = edge.public.get("/api/v1/users/me", headers=claims | passing).json()
    received = {name.lower(): value for name, value in answer["headers"].items()}
    assert {name: received.get(name.lower()) for name in passing} == passing
    assert received["x-forwarded-for"] == received["x-real-ip"] == "127.0.0.1"
    forgeable = [
        name for name in received if name.replace("_", "-") in {key.lower().replace("_", "-") for key in claims}
    ]
    assert sorted(forgeable) == ["x-forwarded-for", "x-real-ip"]


def test_security_headers_are_on_every_answer_and_the_server_is_not_told(edge: Edge) -> None:
    headers = edge.public.get("/api/v1/sessions").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Server" not in headers
    assert "X-Powered-By" not in headers


def test_a_body_over_one_mebibyte_is_refused(edge: Edge) -> None:
    assert edge.public.post("/api/v1/sessions", content=b"x" * 1_048_577).status_code == 413
    assert edge.public.post("/api/v1/sessions", content=b"x" * 1_048_576).json()["size"] == 1_048_576


def test_only_the_import_takes_a_body_of_eight_mebibytes(edge: Edge) -> None:
    largest = b"x" * 8_388_608
    path = "/api/v1/sessions/import"
    assert edge.public.post(path, content=largest).json()["size"] == 8_388_608
    assert edge.public.post(path, content=largest + b"x").status_code == 413
    assert edge.public.post(f"{path}/x", content=largest).status_code == 413


def test_long_answers_are_compressed(edge: Edge) -> None:
    answer = edge.public.get("/api/v1/sessions/long", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in edge.public.get("/api/v1/sessions", headers={"Accept-Encoding": "gzip"}).headers


def test_events_arrive_one_by_one_and_uncompressed(edge: Edge) -> None:
    with edge.public.stream("GET", "/api/v1/jobs/1/events", headers={"Accept-Encoding": "gzip, br"}) as answer:
        assert "Content-Encoding" not in answer.headers
        arrivals = [time.monotonic() for line in answer.iter_lines() if line.startswith("data:")]
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    assert len(gaps) == 2
    assert min(gaps) > 0.2


@pytest.mark.parametrize(("method", "status", "tries"), [("GET", 200, 2), ("POST", 502, 1), ("DELETE", 502, 1)])
def test_only_reads_are_sent_again(edge: Edge, method: str, status: int, tries: int) -> None:
    (backend,) = edge.backends["export-service"]
    backend.drop, path = 1, f"/api/v1/exports/{method.lower()}"
    assert edge.public.request(method, path).status_code == status
    assert backend.seen.count(f"{method} {path}") == tries


def test_an_instance_that_is_not_ready_gets_nothing(edge: Edge) -> None:
    leaving, staying = edge.backends["qa-service"]
    leaving.ready = False
    time.sleep(1.8)  # the probe's interval, with room
    ports = {edge.public.get("/api/v1/sessions").json()["port"] for _ in range(20)}
    leaving.ready = True
    assert ports == {staying.port}
    time.sleep(1.3)
    assert {edge.public.get("/api/v1/sessions").json()["port"] for _ in range(40)} == {leaving.port, staying.port}


def test_when_no_instance_is_ready_they_answer_themselves(edge: Edge) -> None:
    """What all need is down then; a service knows what still works, and refuses the rest as its contract says."""
    for backend in edge.backends["qa-service"]:
        backend.ready = False
    time.sleep(1.8)  # the probe's interval, with room
    answers = [edge.public.get("/api/v1/sessions") for _ in range(20)]
    for backend in edge.backends["qa-service"]:
        backend.ready = True
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["port"] for answer in answers} == {backend.port for backend in edge.backends["qa-service"]}
    time.sleep(1.3)


def test_a_client_that_asks_too_fast_is_slowed_down(start_edge: Callable[[str], Edge]) -> None:
    tight = start_edge("0.1")  # 2 logins a second and 6 at once; 10 and 20 of anything
    began = time.monotonic()
    statuses = [tight.public.post("/api/v1/auth/login").status_code for _ in range(60)]
    let_through = statuses.count(200)
    assert 6 <= let_through <= 7 + 2 * (time.monotonic() - began)
    assert statuses.count(429) == 60 - let_through
    assert tight.public.get("/api/v1/users/me").status_code == 200


def test_scale_zero_switches_limits_off(edge: Edge) -> None:
    assert {edge.public.post("/api/v1/auth/login").status_code for _ in range(150)} == {200}
