"""deploy/cdn before a server of our own: the edge keeps what an answer says it may keep, and nothing else."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.cdn.nginx import EDGE, Asked, Edge, Origin, needs_nginx, running_nginx

pytestmark = needs_nginx
TRENDING = "public, max-age=1, stale-while-revalidate=60, stale-if-error=600"
SHARED = "public, max-age=0, s-maxage={}, must-revalidate"


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    origin = Origin()
    origin.start()
    yield origin
    origin.stop()


@pytest.fixture(scope="module")
def edge(origin: Origin) -> Iterator[Edge]:
    assert origin.server is not None
    with running_nginx(EDGE, ORIGIN=f"127.0.0.1:{origin.server.server_address[1]}") as edge:
        yield edge


@pytest.fixture(scope="module")
def client(edge: Edge) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=edge.url, trust_env=False, timeout=30) as client:
        yield client


def happened(answer: httpx.Response) -> str:
    return answer.headers["x-cache"]


def after_its_time(client: httpx.Client, path: str) -> httpx.Response:
    """The first answer of which the edge does not say that it is fresh."""
    deadline = time.monotonic() + 30
    while happened(answer := client.get(path)) == "HIT":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return answer


def test_what_may_be_kept_reaches_the_origin_once(origin: Origin, client: httpx.Client) -> None:
    origin.says("/trending", "public, max-age=300", b'{"items": []}')
    answers = [client.get("/trending") for _ in range(5)]
    assert [happened(answer) for answer in answers] == ["MISS"] + ["HIT"] * 4
    assert {answer.content for answer in answers} == {b'{"items": []}'}
    assert len(origin.asked_for("/trending")) == 1
    assert happened(client.head("/trending")) == "HIT"


def test_after_its_time_the_version_alone_is_asked_for(origin: Origin, client: httpx.Client) -> None:
    origin.says("/versioned", "public, max-age=1", b"[1]", etag='W/"v1"')
    assert happened(client.get("/versioned")) == "MISS"
    answer = after_its_time(client, "/versioned")
    assert (happened(answer), answer.content) == ("REVALIDATED", b"[1]")
    first, second = origin.asked_for("/versioned")[:2]
    assert "If-None-Match" not in first.headers
    assert second.headers["If-None-Match"] == 'W/"v1"'
    origin.says("/versioned", "public, max-age=300", b"[2]", etag='W/"v2"')
    answer = after_its_time(client, "/versioned")
    assert (happened(answer), answer.content) == ("EXPIRED", b"[2]")
    assert client.get("/versioned", headers={"If-None-Match": 'W/"v2"'}).status_code == 304


def test_many_who_ask_at_once_are_one_request(origin: Origin, client: httpx.Client) -> None:
    def slow(_: Asked) -> tuple[int, dict[str, str], bytes]:
        time.sleep(1)
        return 200, {"Cache-Control": "public, max-age=300"}, b"slow"

    origin.answers["/slow"] = slow
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.get("/slow"), range(20)))
    assert [answer.content for answer in answers] == [b"slow"] * 20
    assert len(origin.asked_for("/slow")) == 1


def test_without_the_origin_only_what_says_so_is_given_out_after_its_time() -> None:
    origin = Origin()
    port = origin.start()
    kept = {"/trending": TRENDING, "/shared": SHARED.format(1), "/keys": "public, max-age=1"}
    for path, words in kept.items():
        origin.says(path, words, path.encode())
    with running_nginx(EDGE, ORIGIN=f"127.0.0.1:{port}") as edge, httpx.Client(base_url=edge.url, timeout=30) as client:
        for path in kept:
            assert happened(client.get(path)) == "MISS"
        origin.stop()
        answers = {path: after_its_time(client, path) for path in kept}
        assert {path: answer.status_code for path, answer in answers.items()} == {
            "/trending": 200, "/shared": 502, "/keys": 502,
        }  # fmt: skip
        assert answers["/trending"].content == b"/trending"
        assert happened(client.get("/trending")) in {"STALE", "UPDATING"}
        assert "shared" not in answers["/shared"].text
        origin.start(port)
        for path, words in kept.items():
            origin.says(path, words, b"back", status=503)  # the gateway is there, the service is not
        assert client.get("/trending").content == b"/trending"
        assert client.get("/shared").status_code == 503
        for path in kept:
            origin.says(path, "public, max-age=300", b"back")
        assert client.get("/shared").content == b"back"
        deadline = time.monotonic() + 30
        while client.get("/trending").content != b"back":  # one is let through in the background
            assert time.monotonic() < deadline
            time.sleep(0.1)
        origin.stop()


def test_a_revoked_link_is_asked_for_again_when_its_seconds_are_over(origin: Origin, client: httpx.Client) -> None:
    origin.says("/shared", SHARED.format(2), b"a session")
    assert [happened(client.get("/shared")) for _ in range(2)] == ["MISS", "HIT"]
    origin.says("/shared", "no-store", b"gone", status=404)
    answer = after_its_time(client, "/shared")
    assert (answer.status_code, answer.content) == (404, b"gone")
    assert happened(client.get("/shared")) in {"MISS", "EXPIRED"}


NOBODY = ["no-store", "private, max-age=60", "no-cache", "max-age=0", ""]


@pytest.mark.parametrize("words", NOBODY)
def test_what_is_not_for_everybody_is_never_kept(origin: Origin, client: httpx.Client, words: str) -> None:
    path = f"/nobody/{NOBODY.index(words)}"
    origin.answers[path] = lambda asked: (200, {"Cache-Control": words}, asked.headers["Authorization"].encode())
    for token in ("Bearer ada", "Bearer bob", "Bearer ada"):
        answer = client.get(path, headers={"Authorization": token})
        assert (happened(answer), answer.text) in {("MISS", token), ("EXPIRED", token)}
    assert len(origin.asked_for(path)) == 3


def test_an_answer_to_a_token_is_kept_only_if_it_says_that_it_is_for_everybody(
    origin: Origin, client: httpx.Client
) -> None:
    origin.says("/forgotten", "max-age=300")
    origin.says("/open", "public, max-age=300")
    ada = {"Authorization": "Bearer ada"}
    assert [happened(client.get("/forgotten", headers=ada)) for _ in range(2)] == ["MISS", "MISS"]
    assert [happened(client.get("/open", headers=ada)) for _ in range(2)] == ["MISS", "HIT"]
    assert happened(client.get("/open")) == "HIT"


def test_what_sets_a_cookie_and_what_changes_something_is_never_kept(origin: Origin, client: httpx.Client) -> None:
    origin.says("/cookie", "public, max-age=300", Set_Cookie="refresh=secret")
    assert [happened(client.get("/cookie")) for _ in range(2)] == ["MISS", "MISS"]
    origin.says("/posted", "public, max-age=300")
    for _ in range(2):
        client.post("/posted", content=b"{}")
    assert [request.method for request in origin.asked_for("/posted")] == ["POST", "POST"]
    assert happened(client.get("/posted")) == "MISS"


def test_queries_and_variants_are_not_mixed_up(origin: Origin, client: httpx.Client) -> None:
    def told(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        by = f"{asked.path} {asked.headers.get('Accept-Encoding', '')} {asked.headers.get('Origin', '')}"
        return 200, {"Cache-Control": "public, max-age=300", "Vary": "Accept-Encoding, Origin"}, by.encode()

    origin.answers["/vary"] = told
    variants = [
        (f"/vary?limit={limit}", {"Accept-Encoding": encoding, "Origin": site})
        for limit in (1, 2)
        for encoding in ("br", "zstd")
        for site in ("https://a.example", "https://b.example")
    ]
    first = [client.get(path, headers=headers).text for path, headers in variants]
    again = [client.get(path, headers=headers) for path, headers in variants]
    assert len(set(first)) == 8
    assert [answer.text for answer in again] == first
    assert len([request for request in origin.asked if request.path.startswith("/vary")]) <= 16
    assert happened(client.get(variants[-1][0], headers=variants[-1][1])) == "HIT"


def test_an_event_stream_comes_event_by_event(origin: Origin, client: httpx.Client) -> None:
    received = [threading.Event() for _ in range(3)]
    waited = []

    def stream(write: object) -> None:
        for number, event in enumerate(received):
            write(f"data: {number}\n\n".encode())  # type: ignore[operator]
            waited.append(event.wait(20))  # the next one goes out when this one has arrived

    origin.streams["/events"] = stream
    with client.stream("GET", "/events") as answer:
        for number, line in enumerate(line for line in answer.iter_lines() if line):
            assert line == f"data: {number}"
            received[number].set()
    assert waited == [True, True, True]


def test_the_origin_learns_who_asks_and_nobody_can_claim_to_be_another(origin: Origin, client: httpx.Client) -> None:
    client.get("/who", headers={"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"})
    headers = origin.asked_for("/who")[0].headers
    assert (headers["X-Forwarded-For"], headers["X-Real-IP"]) == ("127.0.0.1", "127.0.0.1")


def test_no_secret_of_a_path_and_no_query_is_in_the_log(edge: Edge, client: httpx.Client) -> None:
    secrets = ["/api/v1/shared/sessions/SECRET", "/api/v1/auth/letters/unsubscribe/SECRET"]
    for path in [*secrets, "/api/v1/users/erasures/SECRET", "/api/v1/questions/search?q=SECRET", "/last"]:
        client.get(path)
    file, deadline = edge.folder / "access.log", time.monotonic() + 10
    while '"/last"' not in (log := file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)  # a line is written after its answer
    assert '"/last"' in log
    assert "/api/v1/shared/sessions/[redacted]" in log
    assert "SECRET" not in log
