"""Access tokens that are not good: every service refuses them, on its own."""

import asyncio
import base64
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from pymongo import AsyncMongoClient

from auth_service.keys.repository import KeyRepository
from auth_service.keys.sealing import KeySeal, SigningKey
from auth_service.keys.service import KeyRing
from intervai_shared.testing import Person
from tests.e2e.routes import Route, all_routes


@pytest.fixture
async def signing_key() -> SigningKey:
    """The real key of the running auth-service, to make tokens that are wrong in one thing only."""
    async with AsyncMongoClient[Any](os.environ["MONGO_URI"]) as client:
        master = base64.urlsafe_b64decode(os.environ["KEY_ENCRYPTION_KEY"])
        ring = KeyRing(KeyRepository(client.intervai_auth), KeySeal(master))
        await ring.load()
        return ring.signing


def closed_routes() -> list[Route]:
    return [route for route in all_routes() if not route.is_public]


async def statuses(token: str) -> Iterator[tuple[Route, httpx.Response]]:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
        answers = [
            (route, await client.request(route.method, route.base_url + route.path.replace("{", "").replace("}", "")))
            for route in closed_routes()
        ]
    return iter(answers)


async def assert_refused_everywhere(token: str) -> None:
    for route, answer in await statuses(token):
        assert answer.status_code == 401, (route, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 401


def claims_of(person: Person) -> dict[str, Any]:
    return dict(jwt.decode(person.tokens["accessToken"], options={"verify_signature": False}))


def signed(key: SigningKey, claims: dict[str, Any], **headers: Any) -> str:
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid, **headers})


async def test_a_token_like_ours_is_accepted(person: Person, signing_key: SigningKey) -> None:
    token = signed(signing_key, {**claims_of(person), "jti": "another"})
    for path in ("/api/v1/users/me", "/api/v1/sessions", "/api/v1/exports"):
        answer = await person.http.get(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": int(time.time()) - 1},
        {"aud": "qa-service"},
        {"iss": "https://elsewhere.example"},
        {"sub": "service:qa-service"},
        {"sub": {"$gt": ""}},
        {"sid": None},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_wrong_claim_is_refused_everywhere(
    person: Person, signing_key: SigningKey, wrong: dict[str, Any]
) -> None:
    claims = {key: value for key, value in {**claims_of(person), **wrong}.items() if value is not None}
    if isinstance(claims["sub"], dict):  # the library refuses to sign it, an attacker's would not
        head = base64.urlsafe_b64encode(json.dumps({"alg": "EdDSA", "kid": signing_key.kid}).encode()).rstrip(b"=")
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
        signature = signing_key.private.sign(head + b"." + body)
        token = b".".join([head, body, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
    else:
        token = signed(signing_key, claims)
    await assert_refused_everywhere(token)


async def test_a_tampered_token_is_refused_everywhere(person: Person) -> None:
    head, _, signature = person.tokens["accessToken"].split(".")
    claims = {**claims_of(person), "roles": ["admin"]}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    await assert_refused_everywhere(f"{head}.{body}.{signature}")


async def test_unsigned_and_foreign_tokens_are_refused_everywhere(person: Person, signing_key: SigningKey) -> None:
    claims = claims_of(person)
    public = signing_key.private.public_key().public_bytes_raw()
    await assert_refused_everywhere(jwt.encode(claims, None, algorithm="none", headers={"kid": signing_key.kid}))
    await assert_refused_everywhere(jwt.encode(claims, public, algorithm="HS256", headers={"kid": signing_key.kid}))
    await assert_refused_everywhere(signed(signing_key, claims, kid="unknown"))
    await assert_refused_everywhere("no.token.atall")


@pytest.mark.parametrize("where", ["jku", "x5u", "jwk", "kid"])
async def test_a_token_that_brings_its_own_key_is_refused_everywhere_and_nobody_is_asked_for_it(
    person: Person, where: str
) -> None:
    own = Ed25519PrivateKey.generate()
    fetched: list[str] = []
    async with _listener(fetched) as address:
        headers: dict[str, Any] = {
            "jku": {"kid": "mine", "jku": f"{address}/jwks.json"},
            "x5u": {"kid": "mine", "x5u": f"{address}/certificate.pem"},
            "jwk": {"kid": "mine", "jwk": OKPAlgorithm.to_jwk(own.public_key(), as_dict=True)},
            "kid": {"kid": f"../../../../dev/null' OR 1=1 {address}/jwks.json"},
        }[where]
        await assert_refused_everywhere(jwt.encode(claims_of(person), own, algorithm="EdDSA", headers=headers))
    assert fetched == []


@asynccontextmanager
async def _listener(connections: list[str]) -> AsyncIterator[str]:
    """An attacker's server, which notes who comes."""

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(repr(writer.get_extra_info("peername")))
        writer.close()

    async with await asyncio.start_server(note, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_logged_out_token_is_refused_everywhere(person: Person, gateway: httpx.AsyncClient) -> None:
    for path in ("/api/v1/users/me", "/api/v1/sessions", "/api/v1/exports"):
        assert (await person.http.get(path)).status_code == 200
    assert (await person.http.post("/api/v1/auth/logout")).status_code == 204
    deadline = time.monotonic() + 5
    while any(answer.status_code != 401 for _, answer in await statuses(person.tokens["accessToken"])):
        assert time.monotonic() < deadline
    refreshed = await gateway.post("/api/v1/auth/refresh", json={"refreshToken": person.tokens["refreshToken"]})
    assert refreshed.status_code == 401
