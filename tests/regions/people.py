"""What a person of a region does, and what they see of it."""

import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

#: How often each thing is done in each phase.
TIMES = 5
PASSWORD = "correct horse battery"
SESSION = {"role": "Cook", "experience": "junior", "topics": ["Soup"], "generate": False}


@dataclass
class Person:
    """Somebody whose home is a region, in front of the front."""

    region: str
    client: httpx.Client
    email: str = field(default_factory=lambda: f"{secrets.token_hex(8)}@example.com")
    token: str = ""
    session: str = ""
    link: str = ""

    def ask(self, method: str, path: str, body: Any = None, *, anonymous: bool = False) -> httpx.Response:
        headers = {"Host": f"{self.region}.api.example"}
        if self.token and not anonymous:
            headers["Authorization"] = f"Bearer {self.token}"
        return self.client.request(method, path, json=body, headers=headers)

    def settle(self) -> None:
        """Registers, and makes a session with a link to it."""
        body = {"email": self.email, "password": PASSWORD, "fullName": "Ada Lovelace"}
        self.token = self.ask("POST", "/api/v1/auth/register", body).raise_for_status().json()["accessToken"]
        self.session = self.ask("POST", "/api/v1/sessions", SESSION).raise_for_status().json()["id"]
        path = f"/api/v1/sessions/{self.session}/shares"
        self.link = self.ask("POST", path, {}).raise_for_status().json()["url"]

    def log_in(self) -> httpx.Response:
        """Logs in, and goes on with the new token when that worked."""
        answer = self.ask("POST", "/api/v1/auth/login", {"email": self.email, "password": PASSWORD})
        if answer.is_success:
            self.token = answer.json()["accessToken"]
        return answer

    def doings(self) -> dict[str, Callable[[], httpx.Response]]:
        """By what the report calls it."""
        return {
            "opens a link that was open a moment ago": lambda: self.ask("GET", self.link, anonymous=True),
            "reads their session": lambda: self.ask("GET", f"/api/v1/sessions/{self.session}"),
            "makes a session": lambda: self.ask("POST", "/api/v1/sessions", SESSION),
            "logs in": self.log_in,
            "`/api/v1/analytics/trending`": lambda: self.ask("GET", "/api/v1/analytics/trending"),
            "`/docs`": lambda: self.ask("GET", "/docs"),
            "`/.well-known/jwks.json`": lambda: self.ask("GET", "/.well-known/jwks.json"),
        }


@dataclass
class Seen:
    """The answers to one thing that was done several times."""

    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    caches: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        statuses = "/".join(str(status) for status in dict.fromkeys(self.statuses))
        cached = [name for name in dict.fromkeys(self.caches) if name in {"HIT", "STALE", "UPDATING", "REVALIDATED"}]
        kept = f", {'/'.join(cached)}" if cached else ""
        return f"{statuses}, {1000 * statistics.median(self.seconds):.0f} ms{kept}"


def look(do: Callable[[], httpx.Response], times: int = TIMES) -> Seen:
    """Does it several times."""
    seen = Seen()
    for _ in range(times):
        begun = time.monotonic()
        answer = do()
        seen.seconds.append(time.monotonic() - begun)
        seen.statuses.append(answer.status_code)
        seen.caches.append(answer.headers.get("x-cache", ""))
    return seen
