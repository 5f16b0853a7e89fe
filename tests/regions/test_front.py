"""deploy/multi-region before two small servers that stand for the regions, of which one is lost and comes back."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.cdn.nginx import ROOT, Asked, Origin, needs_nginx, running_nginx

pytestmark = needs_nginx
FRONT = ROOT / "deploy/multi-region/front.conf.template"
TRENDING = "/api/v1/analytics/trending"
MINE = "/api/v1/users/me"
EU, US = {"Host": "eu.api.example"}, {"Host": "us.api.example"}


@dataclass
class World:
    """A front that stands in the US, and both regions."""

    client: httpx.Client
    eu: Origin
    us: Origin
    ports: dict[str, int]


def region(name: str) -> Origin:
    origin = Origin()
    origin.says(MINE, "no-store", name.encode())
    origin.says("/.well-known/jwks.json", "public, max-age=300", name.encode())
    origin.says(TRENDING, "public, max-age=300", name.encode())
    origin.says("/docs", "no-store", name.encode())  # so that each request is one
    return origin


@pytest.fixture
def world() -> Iterator[World]:
    eu, us = region("eu"), region("us")
    ports = {"EU": eu.start(), "US": us.start()}
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    with (
        running_nginx(FRONT, HERE="us", **addresses) as front,
        httpx.Client(base_url=front.url, trust_env=False, timeout=30) as client,
    ):
        yield World(client, eu, us, ports)
    eu.stop()
    us.stop()


def test_a_person_is_served_by_their_home_region_alone(world: World) -> None:
    assert world.client.get(MINE, headers=EU).text == "eu"
    assert world.client.get(MINE, headers=US).text == "us"
    assert world.client.get(MINE).text == "us"  # who names none is where the front is
    assert world.client.get(MINE, headers={"X-Home-Region": "eu"}).text == "eu"
    assert world.client.get(MINE, headers={**US, "X-Home-Region": "eu"}).text == "us"
    assert world.client.get(MINE, headers={"X-Home-Region": "../mars"}).text == "us"
    for name, headers in (("eu", EU), ("us", US)):  # a key of one region opens nothing in the other
        assert [world.client.get("/.well-known/jwks.json", headers=headers).text for _ in range(2)] == [name] * 2
    assert len(world.eu.asked_for("/.well-known/jwks.json")) == 1


def test_the_loss_of_a_region_is_told_to_its_people_and_not_noticed_by_the_others(world: World) -> None:
    assert world.client.get("/.well-known/jwks.json", headers=EU).text == "eu"
    world.eu.stop()
    for method in ("GET", "POST"):
        away = world.client.request(method, MINE, headers=EU)
        assert (away.status_code, away.headers["content-type"]) == (503, "application/problem+json")
        assert (away.headers["cache-control"], away.headers["retry-after"]) == ("no-store", "30")
        assert {"type", "title", "status", "instance", "requestId"} <= away.json().keys()
        assert away.json()["requestId"] == away.headers["x-request-id"]
        assert world.client.request(method, MINE, headers=US).text == "us"
    # Nothing of the person was sent to the other region.
    assert [asked.headers["Host"] for asked in world.us.asked_for(MINE)] == ["us.api.example"] * 2
    assert world.client.get("/.well-known/jwks.json", headers=EU).text == "eu"  # the front has it still
    assert world.client.get(TRENDING, headers=EU).status_code == 200
    world.eu.start(world.ports["EU"])
    assert world.client.get(MINE, headers=EU).text == "eu"


def test_what_is_of_nobody_comes_from_the_other_region_when_this_one_is_gone_or_ill(world: World) -> None:
    assert world.client.get("/docs", headers=EU).text == "us"
    world.us.says("/docs", "no-store", b"ill", status=503)
    assert world.client.get("/docs", headers=EU).text == "eu"
    world.us.stop()
    assert world.client.get("/docs", headers=US).text == "eu"
    assert world.client.get(TRENDING).text == "eu"
    world.eu.stop()
    assert world.client.get("/docs", headers=US).status_code == 503
    assert world.client.get(TRENDING).text == "eu"  # kept


def test_what_a_region_says_itself_goes_through(world: World) -> None:
    world.eu.says("/api/v1/sessions", "no-store", b'{"detail": "limit"}', status=429, Retry_After="7")
    world.eu.says("/api/v1/jobs", "no-store", b'{"detail": "Mongo"}', status=503, Retry_After="2")
    limit, ill = (world.client.get(path, headers=EU) for path in ("/api/v1/sessions", "/api/v1/jobs"))
    assert (limit.status_code, limit.headers["retry-after"], limit.text) == (429, "7", '{"detail": "limit"}')
    assert (ill.status_code, ill.headers["retry-after"], ill.text) == (503, "2", '{"detail": "Mongo"}')


def test_a_write_is_sent_once(world: World) -> None:
    def dies(_: Asked) -> tuple[int, dict[str, str], bytes]:
        raise ConnectionAbortedError

    world.eu.answers["/api/v1/sessions"] = dies
    assert world.client.post("/api/v1/sessions", content=b"{}", headers=EU).status_code == 503
    assert len(world.eu.asked_for("/api/v1/sessions")) == 1
    assert world.us.asked_for("/api/v1/sessions") == []
