"""Every request has an id and a trace, is counted under its route, and ends well whatever its handler does."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.requests import ClientDisconnect
from structlog.testing import CapturingLogger

from intervai_shared import context

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
router = APIRouter()


@router.get("/context")
async def read_context() -> dict[str, str]:
    return context.outgoing_headers()


@router.get("/things/{thing_id}")
async def read_thing(thing_id: str) -> str:
    return thing_id


@router.get("/shared/{share_token}/items/{item}")
async def read_shared(share_token: str, item: str) -> str:
    return item


@router.get("/stream")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        yield context.request_id.get()
        raise RuntimeError("in the middle of a stream")

    return StreamingResponse(parts())


@router.get("/group")
async def group() -> None:
    raise ExceptionGroup("of a task group", [ExceptionGroup("", [RedisConnectionError("Redis is away")])])


@router.post("/gone")
async def gone() -> None:
    raise ClientDisconnect


@pytest.fixture
async def client(serve: Serve) -> httpx.AsyncClient:
    return await serve(router)


def requests_counted() -> dict[tuple[str, ...], float]:
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    found = [sample for sample in samples if sample.name == "intervai_http_requests_total"]
    return {tuple(sample.labels[name] for name in ("method", "route", "status")): sample.value for sample in found}


async def test_a_callers_request_id_is_kept_and_answered(client: httpx.AsyncClient) -> None:
    answer = await client.get("/context", headers={"X-Request-Id": "my-request.0001"})
    assert answer.headers["X-Request-Id"] == answer.json()["X-Request-Id"] == "my-request.0001"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "x" * 65,
        "with space",
        'quote"quote"',
        "semi;colon;x",
        "\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6",
    ],
)
async def test_a_request_id_that_could_harm_a_log_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/context", headers={b"X-Request-Id": given.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


async def test_a_trace_goes_on_with_a_span_of_our_own(client: httpx.AsyncClient) -> None:
    given = f"00-{TRACE}-00f067aa0ba902b7-00"
    version, trace, span, flags = (
        (await client.get("/context", headers={"traceparent": given})).json()["traceparent"].split("-")
    )
    assert (version, trace, flags) == ("00", TRACE, "00")
    assert re.fullmatch("[0-9a-f]{16}", span)
    assert span != "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
    ],
)
async def test_what_is_no_traceparent_begins_a_new_trace(client: httpx.AsyncClient, given: str) -> None:
    made = (await client.get("/context", headers={"traceparent": given})).json()["traceparent"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", made)
    assert TRACE not in made


async def test_two_requests_share_no_context(client: httpx.AsyncClient) -> None:
    first, second = [(await client.get("/context")).json() for _ in range(2)]
    assert first["X-Request-Id"] != second["X-Request-Id"]
    assert first["traceparent"].split("-")[1] != second["traceparent"].split("-")[1]


async def test_requests_are_counted_by_the_template_of_their_route(client: httpx.AsyncClient) -> None:
    before = requests_counted().get(("GET", "/things/{thing_id}", "200"), 0)
    await client.get("/things/1")
    await client.get("/things/2")
    assert requests_counted()["GET", "/things/{thing_id}", "200"] == before + 2


async def test_who_goes_away_while_sending_a_body_is_no_error_of_ours(client: httpx.AsyncClient) -> None:
    before = requests_counted().get(("POST", "/gone", "499"), 0)
    with pytest.raises(AssertionError):  # the client got no answer
        await client.post("/gone")
    assert requests_counted()["POST", "/gone", "499"] == before + 1


async def test_what_a_client_makes_up_makes_no_new_series_of_metrics(client: httpx.AsyncClient) -> None:
    await client.request("MADEUP", "/made/up")
    known = requests_counted().keys()
    for number in range(20):
        await client.request(f"MADEUP{number}", f"/made/up/{number}")
    assert requests_counted().keys() == known


async def test_a_stream_that_breaks_is_cut_off_and_not_ended_as_if_it_were_whole(client: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="in the middle"):  # the server closes the connection on it
        await client.get("/stream", headers={"X-Request-Id": "my-request.0001"})


async def test_the_access_log_has_each_request_but_no_probe_and_no_query(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = CapturingLogger()
    monkeypatch.setattr("intervai_shared.http.context.log", written)
    for path in ("/health/live", "/metrics", "/things/2?secret=1", "/not-here"):
        await client.get(path)
    lines = [(call.method_name, call.kwargs["path"], call.kwargs["status"]) for call in written.calls]
    assert lines == [("info", "/things/2", 200), ("info", "/not-here", 404)]


async def test_what_opens_something_to_whoever_knows_it_is_not_in_a_logged_path(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = CapturingLogger()
    monkeypatch.setattr("intervai_shared.http.context.log", written)
    assert (await client.get("/shared/aGuessNobodyMakes/items/7")).json() == "7"
    assert [call.kwargs["path"] for call in written.calls] == ["/shared/[redacted]/items/7"]


async def test_a_part_that_is_away_is_told_as_such_also_out_of_a_task_group(client: httpx.AsyncClient) -> None:
    answer = await client.get("/group")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.headers["Content-Type"] == "application/problem+json"
