"""Headers in which a client claims an address or an identity: through the gateway they say nothing, and an identity is
taken from no header even behind it."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from intervai_local import gateway_config, probes
from intervai_local.state import SERVICES, State
from intervai_shared.testing import NewPerson, Person

LOGIN = "/api/v1/auth/login"
PASSWORD = "correct horse battery"
CLAIMED = "203.0.113.99"
ADDRESSES = {
    "X-Forwarded-For": CLAIMED,
    "X-Real-Ip": CLAIMED,
    "X-Real-IP": CLAIMED,
    "X_Real_Ip": CLAIMED,
    "Forwarded": f"for={CLAIMED}",
    "X-Client-Ip": CLAIMED,
    "True-Client-Ip": CLAIMED,
    "CF-Connecting-IP": CLAIMED,
    "X-Forwarded": f"for={CLAIMED}",
    "X-Cluster-Client-Ip": CLAIMED,
}
StartAuth = Callable[..., Awaitable[httpx.AsyncClient]]
OpenGateway = Callable[[int], str]


def identity_of(person: Person) -> dict[str, str]:
    """Headers that other stacks take for an identity which their gateway has checked."""
    return {
        "X-User-Id": str(person.id),
        "X_User_Id": str(person.id),
        "X-User": person.email,
        "X-User-Email": person.email,
        "X-User-Roles": "admin",
        "X-Session-Id": secrets.token_urlsafe(16),
        "X-Service-Id": "user-service",
        "X-Client-Id": "user-service",
        "X-Forwarded-User": person.email,
        "X-Authenticated-User": str(person.id),
        "Remote-User": person.email,
    }


async def addresses_noted(person: Person) -> list[str]:
    entries = (await person.http.get("/api/v1/auth/audit?limit=100")).json()["items"]
    return [entry["address"] for entry in entries if entry["event"] == "login"]


async def test_no_header_changes_the_address_in_the_audit_log(person: Person, gateway: httpx.AsyncClient) -> None:
    credentials = {"email": person.email, "password": PASSWORD}
    assert (await gateway.post(LOGIN, json=credentials)).status_code == 200
    (true_address,) = await addresses_noted(person)
    for name, value in ADDRESSES.items():
        assert (await gateway.post(LOGIN, json=credentials, headers={name: value})).status_code == 200
    twice = [("X-Real-Ip", CLAIMED), ("X-Real-Ip", "198.51.100.1"), ("X-Forwarded-For", f"{CLAIMED}, 127.0.0.1")]
    assert (await gateway.post(LOGIN, json=credentials, headers=twice)).status_code == 200
    assert await addresses_noted(person) == [true_address] * (len(ADDRESSES) + 2)
    shown = (await person.http.get("/api/v1/auth/sessions")).json()["items"]
    assert {session["address"] for session in shown} == {true_address}


async def test_a_header_gives_no_identity(person: Person, gateway: httpx.AsyncClient) -> None:
    for headers in (identity_of(person), *({name: value} for name, value in identity_of(person).items())):
        for path in ("users/me", "sessions", "auth/sessions", "auth/audit", "exports", "auth/admin/users"):
            answer = await gateway.get(f"/api/v1/{path}", headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_a_header_gives_no_other_identity_or_role_than_the_token(person: Person, new_person: NewPerson) -> None:
    stranger = await new_person()
    headers = identity_of(person)
    shown = await stranger.http.get("/api/v1/auth/audit", headers=headers)
    assert shown.json() == (await stranger.http.get("/api/v1/auth/audit")).json()
    sessions = (await stranger.http.get("/api/v1/auth/sessions", headers=headers)).json()["items"]
    assert [session["isCurrent"] for session in sessions] == [True]
    assert (await stranger.http.get("/api/v1/auth/admin/users", headers=headers)).status_code == 403


async def test_even_behind_the_gateway_a_header_gives_no_identity(person: Person) -> None:
    paths = {
        "auth-service": ("/api/v1/auth/sessions", "/api/v1/auth/admin/users", "/internal/dead-letters"),
        "user-service": ("/api/v1/users/me", "/internal/dead-letters"),
        "qa-service": ("/api/v1/sessions", "/internal/dead-letters"),
        "export-service": ("/api/v1/exports", "/internal/dead-letters"),
    }
    async with httpx.AsyncClient(base_url=os.environ["INTERNAL_GATEWAY_URL"], headers=identity_of(person)) as inside:
        for service, asked in paths.items():
            for path in asked:
                assert (await inside.get(f"/{service}{path}")).status_code == 401, path


@pytest.fixture
def open_gateway() -> Iterator[OpenGateway]:
    """Starts a gateway of the test's own before a process; answers its URL."""
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="sec-", dir="/tmp") as folder:

        def start(port: int) -> str:
            state = State(Path(folder) / "gateway")
            state.create()
            ports = state.ports(["gateway", "internal"])
            gateway_config.write_static(state, "127.0.0.1", ports["gateway"], ports["internal"])
            gateway_config.write_services(state, dict.fromkeys(SERVICES, 1), {f"{name}-1": port for name in SERVICES})
            command = [str(Path(sys.executable).with_name("traefik")), f"--configFile={state.gateway / 'traefik.yml'}"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            started.append(subprocess.Popen(command, env={**os.environ, "RATE_LIMIT_SCALE": "0"}, **quiet))
            answers, deadline = probes.http(ports["gateway"], "/.well-known/jwks.json"), time.monotonic() + 30
            while not answers():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            return f"http://127.0.0.1:{ports['gateway']}"

        yield start
        for process in started:
            process.terminate()
            process.wait(15)


@pytest.fixture
async def limited(start_auth: StartAuth, open_gateway: OpenGateway) -> str:
    """A gateway before a process that lets an address try three log-ins."""
    auth = await start_auth(RATE_LIMIT_SCALE="1", RATE_LIMIT_LOGIN="3/15 minutes")
    assert auth.base_url.port is not None
    return open_gateway(auth.base_url.port)


def new_address() -> str:
    """One of this machine that no other test comes from."""
    return "127." + ".".join(str(secrets.randbelow(254) + 1) for _ in range(3))


def client_from(address: str, gateway: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway, transport=httpx.AsyncHTTPTransport(local_address=address))


async def test_no_header_changes_whose_limit_is_counted(limited: str) -> None:
    def guess() -> dict[str, str]:
        return {"email": f"{secrets.token_hex(8)}@example.com", "password": "wrong horse battery"}

    ours, others = new_address(), new_address()
    async with client_from(ours, limited) as attacker:
        for number in range(3):
            claimed = {name: value.replace("99", str(number)) for name, value in ADDRESSES.items()}
            assert (await attacker.post(LOGIN, json=guess(), headers=claimed)).status_code == 401
        for name, value in ADDRESSES.items():
            assert (await attacker.post(LOGIN, json=guess(), headers={name: value})).status_code == 429
    # Nor can anybody use up another's: these say that they come from where the attacker does.
    async with client_from(others, limited) as other:
        spoofed = dict.fromkeys(ADDRESSES, ours)
        for _ in range(3):
            assert (await other.post(LOGIN, json=guess(), headers=spoofed)).status_code == 401
        assert (await other.post(LOGIN, json=guess())).status_code == 429
