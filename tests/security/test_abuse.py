"""Bodies that are too large or too deep, on every route that takes one: nothing breaks."""

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext, suppress

import httpx

from tests.e2e.routes import SERVICES, Route
from tests.security.support import JSON, assert_problem, sample, url_of, with_body

DEPTH = 100_000
LIMIT = 1_048_576
#: Of the routes that take more.
LARGER = {"/api/v1/sessions/import": 8 * LIMIT}


async def started_at(client: httpx.AsyncClient) -> set[tuple[str, str]]:
    """When the processes that answer for each service were started: another time is another process."""
    found = set()
    for service in SERVICES:
        for _ in range(8):  # the gateway chooses among a service's processes
            metrics = (await client.get(f"{os.environ['INTERNAL_GATEWAY_URL']}/{service}/metrics")).text
            (time,) = re.findall(r"^process_start_time_seconds (\S+)$", metrics, re.MULTILINE)
            found.add((service, time))
    return found


async def test_a_body_above_the_limit_is_refused_on_every_route(attacker: httpx.AsyncClient) -> None:
    async def unannounced(large: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    for route in with_body():
        large = json.dumps({"email": "x" * LARGER.get(route.path, LIMIT)}).encode()
        for content in (large, unannounced(large)):
            # Traefik answers, then closes on who goes on sending: with 8 MiB on the way not all get to see the answer.
            with nullcontext() if route.path not in LARGER else suppress(httpx.ReadError, httpx.WriteError):
                through = await attacker.request(route.method, url_of(route), content=content, headers=JSON)
                assert through.status_code == 413, route
        own = url_of(route, directly=True)
        assert_problem(await attacker.request(route.method, own, content=large, headers=JSON), 413)
        assert_problem(await attacker.request(route.method, own, content=unannounced(large), headers=JSON), 413)


async def test_a_large_body_that_nobody_reads_does_not_look_like_a_broken_process(gateway: httpx.AsyncClient) -> None:
    """A refusal before the body is read must not break the connection to the gateway: that would count against the
    process, and a stranger could take all of them out."""
    large = b"x" * (LIMIT - 1000)
    for path, status in (("/api/v1/sessions", 401), ("/api/v1/users/me/nothing", 401), ("/api/v1/auth/login", 422)):
        asked = [gateway.post(path, content=large, headers=JSON) for _ in range(100)]
        statuses = Counter(answer.status_code for answer in await asyncio.gather(*asked))
        assert statuses == {status: 100}, path


async def test_a_body_just_below_the_limit_is_only_wrong(attacker: httpx.AsyncClient) -> None:
    names = [*"abcdefgh"]
    large = {name: "x" * (LIMIT // len(names) - 100) for name in names}
    for route in with_body():
        assert_problem(await attacker.request(route.method, url_of(route), json=large), 422)


def deep_bodies(route: Route) -> Iterator[bytes]:
    """Lists and objects in each other, whole and broken off, alone and in place of a field."""
    lists, objects = b"[" * DEPTH, b'{"a":' * DEPTH
    yield lists + b"]" * DEPTH
    yield objects + b"1" + b"}" * DEPTH
    yield lists
    yield objects
    field = next(iter(sample(route.body))).encode()
    yield b'{"' + field + b'":' + lists + b"]" * DEPTH + b"}"


async def test_a_body_of_a_hundred_thousand_levels_is_refused_on_every_route_and_harms_no_process(
    attacker: httpx.AsyncClient,
) -> None:
    before = await started_at(attacker)
    for route in with_body():
        for body in deep_bodies(route):
            for directly in (False, True):
                answer = await attacker.request(
                    route.method, url_of(route, directly=directly), content=body, headers=JSON
                )
                assert_problem(answer, 400, 422)
    assert await started_at(attacker) <= before
