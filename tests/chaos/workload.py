"""What people do while things break: journeys from an account to files, one step at a time, in a random order."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.chaos.client import TRY_SECONDS, Person
from tests.chaos.ledger import ACCEPTED, REFUSED, Ledger, Request, Surprise

TOPICS = ("Python", "SQL", "Docker", "System design", "Kubernetes", "Git", "JavaScript", "Behavioural")
FORMATS = ("json", "md", "json", "pdf")
#: Steps after which a person leaves and another comes.
LIFE_STEPS = 30
#: Generations a session at most: the offline model must not run out of questions on its topics.
MOST_GENERATIONS = 3
#: Seconds between two looks whether the next request is due.
WAIT_SECONDS = 0.02


class Journey:
    """One person's way. What they remember of their things is what the answers told them."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.random = person.random
        self.sessions: list[dict[str, Any]] = []
        self.questions: list[dict[str, Any]] = []
        self.exports: list[str] = []
        self.jobs: list[str] = []
        self._number = 0

    async def step(self) -> None:
        """One random thing that can be done now."""
        steps: list[tuple[int, Callable[[], Awaitable[None]]]] = [(4, self.start_session), (1, self.change_profile)]
        steps += [(1, self.look_around)]
        if self.sessions:
            steps += [(3, self.generate), (3, self.add_question), (2, self.change_session), (3, self.read_session)]
            steps += [(6, self.start_export), (1, self.delete_session)]
        if self.questions:
            steps += [(5, self.change_question), (1, self.delete_question)]
        if self.exports:
            steps += [(1, self.delete_export), (3, self.read_export)]
        if self.jobs:
            steps += [(2, self.read_job)]
        weights, actions = zip(*steps, strict=True)
        await self.random.choices(actions, weights)[0]()

    async def start_session(self) -> None:
        body: dict[str, Any] = {
            "role": "Backend engineer",
            "experience": "senior",
            # With one of its own: nobody gets a question twice, and so the known topics would be used up.
            "topics": [*self.random.sample(TOPICS, 3), self._mark("Subject")],
            "title": self._mark("session"),
            "questionCount": self.random.randint(2, 5),
        }
        if self.random.random() < 0.2:
            body["generate"] = False
        request = await self.person.send("start session", "POST", "/api/v1/sessions", body)
        await self._maybe_again(request, "/api/v1/sessions")
        if request.outcome == ACCEPTED:
            self.sessions.append({"id": request.id, "generations": 1})
            await self._started(request.job)
            if self.random.random() < 0.05:
                await self.delete_session(request.id)

    async def generate(self) -> None:
        session = self.random.choice(self.sessions)
        if session["generations"] >= MOST_GENERATIONS:
            return await self.read_session()
        session["generations"] += 1
        path, body = f"/api/v1/sessions/{session['id']}/generations", {"count": self.random.randint(2, 4)}
        request = await self.person.send("generate", "POST", path, body, session["id"])
        self._expect(request)
        await self._maybe_again(request, path)
        await self._started(request.job)
        return None

    async def add_question(self) -> None:
        session = self._session()
        path, body = f"/api/v1/sessions/{session}/questions", {"text": self._mark("question"), "answer": "An answer."}
        request = await self.person.send("add question", "POST", path, body, session)
        self._expect(request)
        await self._maybe_again(request, path)
        if request.outcome == ACCEPTED:
            self.questions.append({"id": request.id, "session": session, "own": True})

    async def change_question(self) -> None:
        question = str(self.random.choice(self.questions)["id"])
        body: dict[str, Any] = self.random.choice(
            [{"isPinned": self.random.random() < 0.7}, {"notes": self._mark("note")}]
        )
        self._expect(
            await self.person.send("change question", "PATCH", f"/api/v1/questions/{question}", body, question)
        )

    async def change_session(self) -> None:
        session = self._session()
        body = {"role": self._mark("Backend engineer")}
        self._expect(await self.person.send("change session", "PATCH", f"/api/v1/sessions/{session}", body, session))

    async def change_profile(self) -> None:
        body = {"headline": self._mark("headline")}
        changed = await self.person.send("change profile", "PATCH", "/api/v1/users/me", body, self.person.email)
        self._expect(changed)
        read = await self.person.send("read profile", "GET", "/api/v1/users/me")
        if ACCEPTED == changed.outcome == read.outcome and read.answer.get("headline") != body["headline"]:
            self._surprise("lost", f"headline {body['headline']!r} reads {read.answer.get('headline')!r}", changed)

    async def delete_session(self, session: str = "") -> None:
        session = session or self._session()
        self._expect(await self.person.send("delete session", "DELETE", f"/api/v1/sessions/{session}", None, session))
        self.sessions = [known for known in self.sessions if known["id"] != session]
        self.questions = [known for known in self.questions if known["session"] != session]

    async def delete_question(self) -> None:
        """One's own: the generated ones are counted at the end."""
        if own := [known for known in self.questions if known["own"]]:
            chosen = self.random.choice(own)
            self.questions.remove(chosen)
            path = f"/api/v1/questions/{chosen['id']}"
            self._expect(await self.person.send("delete question", "DELETE", path, None, str(chosen["id"])))

    async def start_export(self) -> None:
        session = self._session()
        body = {"sessionId": session, "format": self.random.choice(FORMATS)}
        request = await self.person.send("start export", "POST", "/api/v1/exports", body, session)
        self._expect(request)
        await self._maybe_again(request, "/api/v1/exports")
        if request.id and request.id not in self.exports:  # the same content is the same export
            self.exports.append(request.id)
            if self.random.random() < 0.1:
                await self.delete_export(request.id)

    async def delete_export(self, export: str = "") -> None:
        export = export or self.random.choice(self.exports)
        self.exports.remove(export)
        self._expect(await self.person.send("delete export", "DELETE", f"/api/v1/exports/{export}", None, export))

    async def _started(self, job: str) -> None:
        """Some are cancelled at once, while they wait or run. One that has ended already is a 409."""
        if job:
            self.jobs.append(job)
            if self.random.random() < 0.15:
                await self.person.send("cancel job", "DELETE", f"/api/v1/jobs/{job}", None, job)

    async def read_session(self) -> None:
        """And its questions: some of them will be changed."""
        session = self._session()
        path = f"/api/v1/sessions/{session}"
        self._expect(await self.person.send("read session", "GET", path, None, session))
        page = await self.person.send("read questions", "GET", f"{path}/questions", None, session)
        self._expect(page)
        made = [found["id"] for found in page.answer.get("items", []) if found["source"] == "generated"]
        if made:
            self.questions.append({"id": self.random.choice(made), "session": session, "own": False})

    async def read_export(self) -> None:
        export = self.random.choice(self.exports)
        self._expect(await self.person.send("read export", "GET", f"/api/v1/exports/{export}", None, export))

    async def read_job(self) -> None:
        job = self.random.choice(self.jobs)
        self._expect(await self.person.send("read job", "GET", f"/api/v1/jobs/{job}", None, job))

    async def look_around(self) -> None:
        path = self.random.choice(["/api/v1/sessions", "/api/v1/exports", "/api/v1/users/me"])
        self._expect(await self.person.send("read lists", "GET", path))

    async def _maybe_again(self, request: Request, path: str) -> None:
        if request.outcome == ACCEPTED and self.random.random() < 0.15:
            again = await self.person.send_again(request, path)
            if again.outcome == REFUSED or (again.outcome == ACCEPTED and again.answer != request.answer):
                self._surprise("doubled", f"the key gave {request.answer}, then {again.status} {again.answer}", request)

    def _expect(self, request: Request) -> None:
        """What was accepted and not deleted is there; a DELETE that is tried again finds nothing any more."""
        if request.outcome != REFUSED:
            return
        if request.kind.startswith("delete") and request.status == 404 and request.tries > 1:
            request.outcome = ACCEPTED
            return
        self._surprise("lost", f"{request.kind} answered {request.status} {request.answer.get('detail')}", request)

    def _surprise(self, kind: str, what: str, request: Request) -> None:
        self.person.ledger.surprises.append(Surprise(kind, what, request.subject or request.id))

    def _session(self) -> str:
        return str(self.random.choice(self.sessions)["id"])

    def _mark(self, what: str) -> str:
        """A text that no other request has: what it made can be found by it."""
        self._number += 1
        return f"{what} {self.person.email.partition('@')[0]} {self._number}"


class Crowd:
    """`people` persons at a time, new ones for those who leave. `is_due` says whether one more request is to be made
    now, so that the requests spread over the faults. `patience` is that of `Person`."""

    def __init__(
        self, url: str, ledger: Ledger, people: int, seed: int, is_due: Callable[[], bool], patience: float
    ) -> None:
        self._url = url
        self._ledger = ledger
        self._people = people
        self._seed = seed
        self._is_due = is_due
        self._patience = patience
        self.has_ended = False

    async def run(self) -> None:
        """Works until `has_ended`; what has been begun is brought to its end."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=self._people)
        async with httpx.AsyncClient(base_url=self._url, timeout=TRY_SECONDS, limits=limits, verify=False) as http:  # noqa: S501
            await asyncio.gather(*(self._place(http, number) for number in range(self._people)))

    async def _place(self, http: httpx.AsyncClient, number: int) -> None:
        source = random.Random(f"{self._seed}-{number}")  # noqa: S311
        while not self.has_ended:
            person = Person(http, self._ledger, source, self._patience)
            if not await self._turn() or not await person.register():
                continue
            journey = Journey(person)
            for _ in range(LIFE_STEPS):
                if not await self._turn():
                    return
                await journey.step()

    async def _turn(self) -> bool:
        """Waits until a request is due; False at the end."""
        while not self.has_ended:
            if self._is_due():
                return True
            await asyncio.sleep(WAIT_SECONDS)
        return False
