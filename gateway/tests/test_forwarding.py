"""What services are told of the client, and what collectors are told of the request."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Protocol

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Edge(Protocol):
    public: httpx.Client
    secure: httpx.Client
    internal: httpx.Client
    log: Any


class Collector(Protocol):
    spans: list[Span]

    def await_span(self, trace: str, kind: int) -> Span: ...


CLAIMS = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Real-Ip": "198.51.100.7", "X-Forwarded-Proto": "https"}


def told(answer: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.json()["headers"].items()}


def test_who_is_not_trusted_cannot_say_where_a_request_comes_from(edge: Edge) -> None:
    received = told(edge.public.get("/api/v1/users/me", headers={**CLAIMS, "X-Forwarded-Host": "evil.example"}))
    assert received["x-forwarded-for"] == received["x-real-ip"] == "127.0.0.1"
    assert received["x-forwarded-proto"] == "http"
    assert "evil.example" not in received["x-forwarded-host"]


def test_a_trusted_proxy_can_and_limits_count_the_client_behind_it(start_edge: Callable[..., Edge]) -> None:
    behind = start_edge("0.05", TRUSTED_PROXIES="127.0.0.1/32,fd00::/8")  # 10 requests at once, 1 login at once
    received = told(behind.public.get("/api/v1/users/me", headers=CLAIMS))
    assert received["x-real-ip"] == "198.51.100.7"
    assert received["x-forwarded-for"] == "203.0.113.9, 198.51.100.7, 127.0.0.1"
    assert received["x-forwarded-proto"] == "https"

    def statuses(address: str, count: int) -> list[int]:
        claim = {"X-Forwarded-For": address}
        return [behind.public.post("/api/v1/auth/login", headers=claim).status_code for _ in range(count)]

    busy = statuses("6.6.6.6, 198.51.100.1", 40)
    assert 429 in busy
    assert [statuses(f"6.6.6.6, 198.51.100.{number}", 1) for number in range(2, 22)] == [[200]] * 20
    # What stands before the last address was said by the client: it gets nobody a new allowance.
    assert 429 in [status for number in range(40) for status in statuses(f"6.6.6.{number}, 198.51.100.1", 1)]


def test_the_request_id_goes_through_and_the_log_holds_it_and_no_secret(edge: Edge) -> None:
    mark = secrets.token_hex(8)
    headers = {"X-Request-Id": mark, "Authorization": "Bearer SECRET", "Cookie": "refresh=SECRET", "User-Agent": "test"}
    answer = edge.public.get(f"/api/v1/sessions/{mark}/refused?q=SECRET", headers=headers)
    assert told(answer)["x-request-id"] == mark
    deadline = time.monotonic() + 20
    while mark not in (log := edge.log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    (line,) = [json.loads(line) for line in log.splitlines() if mark in line]
    assert line["request_X-Request-Id"] == mark
    assert line["DownstreamStatus"] == 404
    assert line["ServiceName"].startswith("qa-service")
    assert "SECRET" not in log


def test_spans_arrive_and_the_trace_goes_on_in_the_service(furnished: Edge, collector: Collector) -> None:
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    headers = {"traceparent": f"00-{trace}-{parent}-01", "Authorization": "Bearer SECRET"}
    received = told(furnished.secure.get("/api/v1/sessions?q=SECRET", headers=headers))
    entry = collector.await_span(trace, Span.SPAN_KIND_SERVER)
    call = collector.await_span(trace, Span.SPAN_KIND_CLIENT)
    assert entry.parent_span_id.hex() == parent
    assert received["traceparent"] == f"00-{trace}-{call.span_id.hex()}-01"
    known = {item.key: item.value.string_value or item.value.int_value for item in entry.attributes}
    assert known["url.path"] == "/api/v1/sessions"
    assert known["http.response.status_code"] == 200
    assert "SECRET" not in str(entry) + str(call)


def test_a_request_without_a_trace_gets_one_and_a_secret_path_gets_none(furnished: Edge, collector: Collector) -> None:
    for path in ("/api/v1/shared/sessions/SECRET", "/api/v1/users/erasures/SECRET", "/api/v1/auth/letters/x/SECRET"):
        assert "traceparent" not in told(furnished.secure.get(path))
    _, trace, span, flags = told(furnished.secure.get("/api/v1/users/me"))["traceparent"].split("-")
    assert flags == "01"
    assert collector.await_span(trace, Span.SPAN_KIND_CLIENT).span_id.hex() == span
    assert "SECRET" not in str(collector.spans)


def test_by_default_nothing_is_traced_and_a_clients_trace_goes_through(edge: Edge) -> None:
    mark = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    assert told(edge.public.get("/api/v1/users/me", headers={"traceparent": mark}))["traceparent"] == mark
    assert "traceparent" not in told(edge.public.get("/api/v1/users/me"))


def test_metrics_count_by_entry_point_and_service(furnished: Edge) -> None:
    furnished.secure.get("/api/v1/exports")
    metrics = furnished.internal.get("/metrics").text
    assert (
        'traefik_entrypoint_requests_total{code="200",entrypoint="websecure",method="GET",protocol="http"}' in metrics
    )
    assert 'traefik_service_requests_total{code="200",method="GET",protocol="http",service="export-service' in metrics
