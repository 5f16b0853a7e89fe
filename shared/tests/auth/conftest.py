"""A token issuer for the tests of authentication."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
import stamina
from bson import ObjectId
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intervai_shared.auth.keys import KeySet

ISSUER = "https://intervai.example"
AUDIENCE = "intervai"


class Issuer:
    """Signs as auth-service does, and answers its JWKS; `fetches` counts how often it was asked for the keys, and while
    `down` it answers 503."""

    def __init__(self) -> None:
        self.keys = {"k1": Ed25519PrivateKey.generate()}
        self.fetches = 0
        self.down = False
        transport = httpx.MockTransport(self._answer)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://auth")
        self.key_set = KeySet(self.http)

    def token(self, *, kid: str = "k1", key: Any = None, algorithm: str = "EdDSA", **claims: Any) -> str:
        """A good access token of a user but for what is given; a claim of None is left out."""
        now = int(time.time())
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(ObjectId()), "sid": "s1", "iat": now, "exp": now + 600}
        payload = {name: value for name, value in {**good, "jti": "j1", **claims}.items() if value is not None}
        return jwt.encode(payload, key or self.keys[kid], algorithm, headers={"kid": kid})

    async def _answer(self, _: httpx.Request) -> httpx.Response:
        self.fetches += 1
        await asyncio.sleep(0.005)  # so that callers at the same time do meet
        if self.down:
            return httpx.Response(503)
        algorithm = jwt.algorithms.OKPAlgorithm
        made = {kid: json.loads(algorithm.to_jwk(key.public_key())) for kid, key in self.keys.items()}
        keys = [{**jwk, "kid": kid, "alg": "EdDSA", "use": "sig"} for kid, jwk in made.items()]
        return httpx.Response(200, json={"keys": keys})


@pytest.fixture
def issuer() -> Issuer:
    """Auth-service as its sisters see it."""
    return Issuer()


@pytest.fixture
def no_waits() -> Iterator[None]:
    """Retries follow at once, as often as they would."""
    stamina.set_testing(True, attempts=10, cap=True)
    yield
    stamina.set_testing(False)
