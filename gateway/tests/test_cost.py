"""What a request costs the gateway, by what Traefik allocates: that hardly depends on how busy the machine is."""

import re
from typing import Any

import pytest

REQUESTS = 200
#: Some 70 KB were seen, of them a few of the probes meanwhile; with a buffer of 2 MiB in one middleware 2,180.
MOST_BYTES = 200_000


def allocated(edge: Any) -> int:
    """Bytes that Traefik has allocated since it started (Go's runtime.MemStats.TotalAlloc)."""
    found = re.search(r"^go_memstats_alloc_bytes_total (\S+)$", edge.internal.get("/metrics").text, re.MULTILINE)
    assert found
    return int(float(found[1]))


def test_a_request_sets_no_large_buffers_aside(edge: Any) -> None:
    cost = {}
    for method in ("GET", "PATCH"):
        before = allocated(edge)
        for _ in range(REQUESTS):
            assert edge.public.request(method, "/api/v1/users/me").status_code == 200
        cost[method] = (allocated(edge) - before) / REQUESTS
    print({method: f"{size / 1000:.0f} KB" for method, size in cost.items()})  # noqa: T201
    assert max(cost.values()) < MOST_BYTES


def test_a_read_with_a_large_body_reaches_the_service_whole(edge: Any) -> None:
    for size in (1024, 1025, 100_000):
        answer = edge.public.request("GET", "/api/v1/users/me", content=b" " * size)
        assert (answer.status_code, answer.json()["size"]) == (200, size)


@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 502)])
def test_a_read_is_repeated_if_its_body_was_kept(edge: Any, size: int, status: int) -> None:
    edge.backends["user-service"][0].drop = 1
    assert edge.public.request("GET", "/api/v1/users/me", content=b" " * size).status_code == status
    assert edge.backends["user-service"][0].drop == 0
