"""A service of the test's own, and a language-model provider that behaves as it is told."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import certifi
import httpx
import pytest
from bson import ObjectId
from fastapi import FastAPI

from intervai_shared.models import Document
from intervai_shared.settings import load_settings
from intervai_shared.testing import Person, running
from qa_service.app import create_app
from qa_service.container import QaContainer
from qa_service.generation.schemas import GenerationRequest
from qa_service.llm.model import open_model
from qa_service.sessions.schemas import SessionStart
from qa_service.settings import QaSettings
from qa_service.worker import QaWorker, on_resources

Call = Callable[..., Awaitable[Any]]
KEY = "sk-test-0123456789abcdef"
HTTP = "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n"


@dataclass(frozen=True)
class Answer:
    """What the provider sends."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Provider:
    """A server of the chat-completions API. It answers what `script` holds, then as many new questions as are asked."""

    script: deque[Answer | Callable[[Document], Awaitable[Answer]]] = field(default_factory=deque)
    #: The bodies of the requests, in order.
    requests: list[Document] = field(default_factory=list)
    written: int = 0

    def will(self, *answers: Answer | Callable[[Document], Awaitable[Answer]]) -> None:
        """Sets the next answers: themselves, or functions that make them from the interview."""
        self.script.extend(answers)

    @property
    def interviews(self) -> list[Document]:
        """What the requests asked for, as the model sees it."""
        return [self.interview(request) for request in self.requests]

    @staticmethod
    def interview(request: Document) -> Document:
        fenced = request["messages"][-1]["content"]
        return dict(json.loads(fenced.removeprefix("<interview>\n").removesuffix("\n</interview>")))

    def honest(self, interview: Document, count: int | None = None) -> Answer:
        """New questions: as many as were asked for, or `count`."""
        numbers = range(self.written, self.written + (interview["count"] if count is None else count))
        self.written = numbers.stop
        return self.of(*[f"What is number {number}?" for number in numbers])

    def of(self, *texts: str, **fields: Any) -> Answer:
        """These questions."""
        whole = {"answer": "So.", "difficulty": "easy", "category": "SQL", "keyPoints": ["a"], "followUps": ["b"]}
        return self.saying(json.dumps({"questions": [{"text": text, **whole, **fields} for text in texts]}))

    @staticmethod
    def saying(content: str | None, finish_reason: str = "stop", refusal: str | None = None) -> Answer:
        """A completion with this content."""
        message = {"role": "assistant", "content": content, "refusal": refusal}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        common = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "model-that-answered"}
        return Answer({**common, "choices": [choice], "usage": usage})

    @staticmethod
    def failing(status: int, message: str = "no", **headers: str) -> Answer:
        """An error in the API's shape."""
        return Answer({"error": {"message": message, "type": "t", "param": None, "code": "c"}}, status, headers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        request = json.loads(await reader.readexactly(int(lines["content-length"])))
        assert lines["authorization"] == f"Bearer {KEY}".lower()
        self.requests.append(request)
        told = self.script.popleft() if self.script else None
        interview = self.interview(request)
        answer = told if isinstance(told, Answer) else await told(interview) if told else self.honest(interview)
        body = json.dumps(answer.body).encode()
        headers = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in answer.headers.items())
        writer.write((HTTP.format(status=answer.status, length=len(body)) + headers + "\r\n").encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture(scope="session")
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with one authority. To load all of them for each HTTP client would be most of a test's time, and
    nothing here speaks TLS."""
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    file.write_text(certifi.contents().partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n")
    return str(file)


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    """The provider that OPENAI_BASE_URL names."""
    made = Provider()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with server:
        yield made


@pytest.fixture
def settings(
    own_database: str, provider: Provider, one_certificate: str, monkeypatch: pytest.MonkeyPatch
) -> QaSettings:
    monkeypatch.setenv("SSL_CERT_FILE", one_certificate)
    return load_settings(QaSettings)


@pytest.fixture
async def api(settings: QaSettings) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The running API, and a client of it without a token."""
    app = create_app()
    async with running(app) as client:
        yield app, client


@pytest.fixture
def container(api: tuple[FastAPI, httpx.AsyncClient]) -> QaContainer:
    """What the API process holds."""
    held: QaContainer = api[0].state.container
    return held


@pytest.fixture
def http(api: tuple[FastAPI, httpx.AsyncClient], person: Person) -> httpx.AsyncClient:
    """The client with the token of `person`."""
    api[1].headers["Authorization"] = f"Bearer {person.tokens['accessToken']}"
    return api[1]


@pytest.fixture
async def worker(settings: QaSettings, container: QaContainer) -> AsyncIterator[QaWorker]:
    """What a worker process holds, with the provider as its model, on the resources of the API process."""
    async with open_model(settings, container.resources.mongo.db) as model:
        yield on_resources(container.resources, model, settings)


@pytest.fixture
def user() -> ObjectId:
    """A user's id; behind the endpoints nobody asks whether there is an account."""
    return ObjectId()


@pytest.fixture
def start(container: QaContainer, user: ObjectId) -> Call:
    """Starts a session of the user, with defaults for what is not given."""

    async def call(owner: ObjectId = user, **fields: Any) -> Document:
        described = {"role": "Backend engineer", "experience": "senior", "topics": ["SQL"], **fields}
        return await container.sessions.start(owner, SessionStart.model_validate(described))

    return call


@pytest.fixture
def more(container: QaContainer, user: ObjectId) -> Call:
    """Asks for more questions in a session of the user; the job's id."""

    async def call(session: Document, **fields: Any) -> ObjectId:
        job = await container.generation.start(user, session["_id"], GenerationRequest.model_validate(fields))
        return ObjectId(job["_id"])

    return call


@pytest.fixture
def attempt(container: QaContainer, worker: QaWorker, user: ObjectId) -> Call:
    """Does a job once, as its message would, and gives its record. Raises what makes the queue try again."""

    async def call(job_id: ObjectId) -> Document:
        await worker.work.run(job_id)
        return await container.jobs.get(user, job_id)

    return call


@pytest.fixture
def texts(container: QaContainer, user: ObjectId) -> Call:
    """The texts of a session's questions, in list order."""

    async def call(session: Document) -> list[str]:
        found = await container.sessions.with_questions(user, session["_id"])
        assert found["session"]["questionCount"] == len(found["questions"])
        return [question["text"] for question in found["questions"]]

    return call
