"""Calls to sister services: their token, their retries, and what their failures mean.

The sister is a transport here, since the real ones fail only when one stops them."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import circuitbreaker
import httpx
import pytest

from intervai_shared import context
from intervai_shared.auth import service_client as module
from intervai_shared.auth.service_client import ServiceClient
from intervai_shared.errors import NotFoundError, UnavailableError
from intervai_shared.settings import ServiceSettings

pytestmark = pytest.mark.usefixtures("no_waits")
Answer = httpx.Response | Exception


class Sisters:
    """The internal entry point: `answers` are given one after the other, then 200; `tokens` counts those handed out."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.token_answers: list[Answer] = []
        self.asked: list[httpx.Request] = []
        self.tokens = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.005)
        if request.url.path == "/auth-service/internal/token":
            if self.token_answers:
                return self._given(self.token_answers.pop(0))
            self.tokens += 1
            return httpx.Response(200, json={"accessToken": f"t{self.tokens}", "expiresIn": 300})
        self.asked.append(request)
        return self._given(self.answers.pop(0) if self.answers else httpx.Response(200, json={"ok": True}))

    @staticmethod
    def _given(answer: Answer) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def sisters() -> Sisters:
    return Sisters()


@pytest.fixture
def client(settings: ServiceSettings, sisters: Sisters) -> ServiceClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(sisters), base_url="http://internal")
    return ServiceClient(http, settings)


async def test_the_real_token_of_auth_service_opens_a_sister_only_where_it_is_meant_to(
    settings: ServiceSettings,
) -> None:
    async with httpx.AsyncClient(base_url=settings.internal_gateway_url) as http:
        with pytest.raises(NotFoundError):  # 404 from inside of qa-service: the token was good there
            await ServiceClient(http, settings).get("qa-service", "/internal/no-such-thing")


async def test_an_answer_comes_back_as_json_and_the_call_carries_token_and_context(
    client: ServiceClient, sisters: Sisters
) -> None:
    context.request_id.set("request-12345")
    context.traceparent.set("00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    assert await client.get("qa-service", "/internal/thing", limit=5) == {"ok": True}
    request = sisters.asked[0]
    assert request.url == "http://internal/qa-service/internal/thing?limit=5"
    assert request.headers["Authorization"] == "Bearer t1"
    assert request.headers["X-Request-Id"] == "request-12345"
    assert request.headers["traceparent"].split("-")[1] == "a" * 32


async def test_passing_faults_are_tried_again(client: ServiceClient, sisters: Sisters) -> None:
    sisters.answers = [httpx.Response(502), httpx.ConnectError("refused"), httpx.ReadTimeout("silent")]
    assert await client.get("qa-service", "/internal/thing") == {"ok": True}
    assert len(sisters.asked) == 4


@pytest.mark.parametrize("fault", [lambda: httpx.Response(503), lambda: httpx.ConnectError("refused")])
async def test_a_fault_that_stays_is_unavailable_after_four_tries(
    client: ServiceClient, sisters: Sisters, fault: Callable[[], Answer]
) -> None:
    sisters.answers = [fault() for _ in range(9)]
    with pytest.raises(UnavailableError):
        await client.get("qa-service", "/internal/thing")
    assert len(sisters.asked) == 4


@pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (400, UnavailableError), (500, UnavailableError)])
async def test_an_answer_that_will_not_change_is_not_tried_again(
    client: ServiceClient, sisters: Sisters, status: int, error: type[Exception]
) -> None:
    sisters.answers = [httpx.Response(status, headers={"Content-Type": "application/problem+json"})]
    with pytest.raises(error):
        await client.get("qa-service", "/internal/thing")
    assert len(sisters.asked) == 1


async def test_a_sister_that_says_when_to_come_again_is_not_asked_again_at_once(
    client: ServiceClient, sisters: Sisters
) -> None:
    sisters.answers = [httpx.Response(503, headers={"Retry-After": "2"}) for _ in range(module.BREAK_AFTER)]
    for asked in range(1, module.BREAK_AFTER + 1):
        with pytest.raises(UnavailableError):
            await client.get("qa-service", "/internal/thing")
        assert len(sisters.asked) == asked
    with pytest.raises(UnavailableError):  # it counts for the breaker like any fault
        await client.get("qa-service", "/internal/thing")
    assert len(sisters.asked) == module.BREAK_AFTER


async def test_a_call_ends_when_its_time_is_over_whatever_it_is_at(
    client: ServiceClient, sisters: Sisters, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    monkeypatch.setattr(module, "CALL_SECONDS", 0.1)
    monkeypatch.setattr(client, "_http", httpx.AsyncClient(transport=httpx.MockTransport(silent), base_url="http://in"))
    with pytest.raises(UnavailableError):
        await asyncio.wait_for(client.get("qa-service", "/internal/thing"), 20)


async def test_a_404_of_a_gateway_that_has_no_routes_yet_is_tried_again(
    client: ServiceClient, sisters: Sisters
) -> None:
    sisters.answers = [httpx.Response(404, text="404 page not found")]
    assert await client.get("qa-service", "/internal/thing") == {"ok": True}
    sisters.answers = [httpx.Response(404, text="404 page not found") for _ in range(9)]
    with pytest.raises(UnavailableError):
        await client.get("qa-service", "/internal/thing")


async def test_twenty_calls_at_once_fetch_one_token(client: ServiceClient, sisters: Sisters) -> None:
    await asyncio.gather(*(client.get("qa-service", "/internal/thing") for _ in range(20)))
    assert sisters.tokens == 1
    assert {request.headers["Authorization"] for request in sisters.asked} == {"Bearer t1"}


async def test_each_sister_gets_a_token_of_its_own(client: ServiceClient, sisters: Sisters) -> None:
    await client.get("qa-service", "/internal/thing")
    await client.get("user-service", "/internal/thing")
    assert [request.headers["Authorization"] for request in sisters.asked] == ["Bearer t1", "Bearer t2"]


async def test_a_token_is_renewed_before_it_ends(client: ServiceClient, sisters: Sisters, clock_of: Any) -> None:
    clock = clock_of(module)
    await client.get("qa-service", "/internal/thing")
    for ahead, tokens in ((260, 1), (271, 2)):  # of 300 seconds
        clock.ahead = ahead
        await client.get("qa-service", "/internal/thing")
        assert sisters.tokens == tokens


async def test_auth_service_that_comes_back_is_waited_for_and_one_that_refuses_us_is_not(
    client: ServiceClient, sisters: Sisters
) -> None:
    sisters.token_answers = [httpx.Response(503), httpx.ConnectError("refused")]
    assert await client.get("qa-service", "/internal/thing") == {"ok": True}
    sisters.token_answers = [httpx.Response(401)]
    with pytest.raises(UnavailableError):
        await client.get("user-service", "/internal/thing")
    assert not sisters.token_answers


async def test_our_secret_is_in_no_error(client: ServiceClient, sisters: Sisters, settings: ServiceSettings) -> None:
    sisters.token_answers = [httpx.Response(401)]
    with pytest.raises(UnavailableError) as caught:
        await client.get("user-service", "/internal/thing")
    told = f"{caught.value} {caught.value.detail} {caught.value.__cause__!r}"
    assert settings.service_client_secret.get_secret_value() not in told


async def test_a_token_that_is_refused_is_replaced(client: ServiceClient, sisters: Sisters) -> None:
    sisters.answers = [httpx.Response(401)]
    assert await client.get("qa-service", "/internal/thing") == {"ok": True}
    assert [request.headers["Authorization"] for request in sisters.asked] == ["Bearer t1", "Bearer t2"]


async def test_a_sister_that_goes_on_failing_is_left_alone_until_she_answers_again(
    client: ServiceClient, sisters: Sisters, monkeypatch: pytest.MonkeyPatch
) -> None:
    sisters.answers = [httpx.Response(503) for _ in range(module.BREAK_AFTER)]
    while sisters.answers:
        with pytest.raises(UnavailableError):
            await client.get("qa-service", "/internal/thing")
    asked = len(sisters.asked)
    with pytest.raises(UnavailableError) as refused:
        await client.get("qa-service", "/internal/thing")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= module.BREAK_SECONDS
    assert len(sisters.asked) == asked
    assert await client.get("user-service", "/internal/thing") == {"ok": True}

    later = time.monotonic() + module.BREAK_SECONDS + 1
    monkeypatch.setattr(circuitbreaker, "monotonic", lambda: later)
    assert await client.get("qa-service", "/internal/thing") == {"ok": True}
    monkeypatch.undo()
    assert await client.get("qa-service", "/internal/thing") == {"ok": True}
