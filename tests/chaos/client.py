"""A good client: time-outs, an idempotency key on every POST, tries again until there is a definite answer."""

import asyncio
import random
import secrets
import time
from typing import Any

import httpx

from tests.chaos.ledger import ACCEPTED, REFUSED, UNKNOWN, Ledger, Request

#: Seconds that one try may take; the services' own limits are 5 s a part.
TRY_SECONDS = 12.0
#: Seconds after which a request without a definite answer is given up. An idempotency key that a killed process held
#: is free again after 60 s.
PATIENCE_SECONDS = 150.0
#: Seconds between two tries when the answer names none, and the most that are waited whatever it names.
PAUSE_SECONDS = 0.4
LONGEST_PAUSE_SECONDS = 3.0


class Person:
    """One person with an account, who does one thing at a time, and gives up what has no definite answer after
    `patience` seconds."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        ledger: Ledger,
        random_source: random.Random,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.http = http
        self.ledger = ledger
        self.random = random_source
        self.email = f"chaos-{secrets.token_hex(8)}@example.com"
        self.password = secrets.token_hex(8)
        self._patience = patience
        self._token = ""

    async def register(self) -> bool:
        """Makes the account. A register has no key: that one whose answer was lost is found out by logging in."""
        body = {"email": self.email, "password": self.password, "fullName": "Chaos Person"}
        request = self.ledger.begin(Request("register", self.email, wanted={"email": self.email}))
        await self._until_definite(request, "POST", "/api/v1/auth/register", body)
        self.ledger.people[self.email] = self.password
        if request.outcome == ACCEPTED:
            self._token = str(request.answer["accessToken"])
        elif request.status == 409 and request.tries > 1 and await self.login():
            request.outcome = ACCEPTED
        _forget_secrets(request)
        return request.outcome == ACCEPTED

    async def login(self) -> bool:
        """A new access token."""
        request = self.ledger.begin(Request("log in", self.email))
        body = {"email": self.email, "password": self.password}
        await self._until_definite(request, "POST", "/api/v1/auth/login", body)
        if request.outcome == ACCEPTED:
            self._token = str(request.answer["accessToken"])
        _forget_secrets(request)
        return request.outcome == ACCEPTED

    async def send(
        self, kind: str, method: str, path: str, body: dict[str, Any] | None = None, subject: str | None = None
    ) -> Request:
        """Sends a request until there is a definite answer, and notes it."""
        key = secrets.token_hex(12) if method == "POST" else None
        request = self.ledger.begin(Request(kind, self.email, subject, body or {}, key))
        await self._until_definite(request, method, path, body)
        if request.status == 401 and await self.login():
            await self._until_definite(request, method, path, body)
        return request

    async def send_again(self, request: Request, path: str) -> Request:
        """The same POST once more with the same key: it must get the same answer."""
        again = Request(f"{request.kind}, again", self.email, request.subject, request.wanted, request.key)
        await self._until_definite(self.ledger.begin(again), "POST", path, request.wanted)
        return again

    async def _until_definite(self, request: Request, method: str, path: str, body: dict[str, Any] | None) -> None:
        started = time.monotonic()
        while time.monotonic() - started < self._patience:
            answer = await self._try(request, method, path, body)
            request.seconds = time.monotonic() - started
            if answer is not None and _is_definite(answer):
                return _note(request, answer)
            await asyncio.sleep(self._pause(answer))
        request.outcome = UNKNOWN
        return None

    async def _try(
        self, request: Request, method: str, path: str, body: dict[str, Any] | None
    ) -> httpx.Response | None:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if request.key:
            headers["Idempotency-Key"] = request.key
        try:
            answer = await self.http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError:
            request.statuses["cut"] += 1
            return None
        # Our errors are problem documents: a bare 404 is of a gateway that has just started and knows no routes yet.
        is_ours = answer.is_success or "json" in answer.headers.get("Content-Type", "")
        request.statuses[str(answer.status_code) if is_ours else f"{answer.status_code} of the gateway"] += 1
        return answer if is_ours else None

    def _pause(self, answer: httpx.Response | None) -> float:
        named = answer.headers.get("Retry-After", "") if answer is not None else ""
        seconds = float(named) if named.isdecimal() else PAUSE_SECONDS
        return min(seconds, LONGEST_PAUSE_SECONDS) * self.random.uniform(0.8, 1.3)


def _is_definite(answer: httpx.Response) -> bool:
    """Not a fault of the way, and not the 409 of a request that is being handled: that one says when to come again."""
    if answer.status_code == 409:
        return "Retry-After" not in answer.headers
    return answer.status_code < 500 and answer.status_code not in {408, 429}


def _note(request: Request, answer: httpx.Response) -> None:
    request.status = answer.status_code
    request.outcome = ACCEPTED if answer.is_success else REFUSED
    found = answer.json() if answer.content else {}
    request.answer = found if isinstance(found, dict) else {}


def _forget_secrets(request: Request) -> None:
    """The ledger is written to a file."""
    request.answer = {"user": request.answer["user"]} if "user" in request.answer else {}
