"""A service of the test's own, and a language-model provider that behaves as it is told."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from bson import ObjectId
from fastapi import FastAPI
from pymongo import monitoring

from intervai_shared.models import Document
from intervai_shared.query_checks import QueryChecks, Recorder
from intervai_shared.settings import load_settings
from intervai_shared.testing import Person, app_again, running
from qa_service.app import create_app
from qa_service.container import QaContainer
from qa_service.generation.schemas import GenerationRequest
from qa_service.llm.model import open_model
from qa_service.questions.schemas import NewQuestion
from qa_service.sessions.schemas import SessionStart
from qa_service.settings import QaSettings
from qa_service.worker import QaWorker, on_resources

Call = Callable[..., Awaitable[Any]]
KEY = "sk-test-0123456789abcdef"
STREAM = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
HTTP = "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n"


@dataclass(frozen=True)
class Answer:
    """What the provider sends: in pieces when that was asked for, unless it `is_plain`.

    `cut_after`: the connection is lost after so many pieces. `before_piece`: awaited with the number of each piece
    before it is sent.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    is_plain: bool = False
    cut_after: int | None = None
    before_piece: Callable[[int], Awaitable[None]] | None = None


def pieces_of(completion: Document) -> list[bytes]:
    """Chunks of a completion: its role, its text in pieces of 40 characters, its end, its usage."""
    [choice] = completion["choices"]
    text, refusal = choice["message"]["content"] or "", choice["message"]["refusal"]
    deltas = [
        {"role": "assistant", "content": ""},
        *[{"content": text[at : at + 40]} for at in range(0, len(text), 40)],
    ]
    deltas += [{"refusal": refusal}] if refusal else []
    common = {"id": completion["id"], "object": "chat.completion.chunk", "created": 1, "model": completion["model"]}
    chunks = [{**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end = {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    usage = {**common, "choices": [], "usage": completion["usage"]}
    return [json.dumps(chunk).encode() for chunk in [*chunks, end, usage]]


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
        return dict(json.loads(fenced.split("\n", 1)[1].rsplit("\n", 1)[0]))

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
        if request.get("stream") and answer.status == 200 and not answer.is_plain:
            await self.stream(answer, writer)
            return
        body = json.dumps(answer.body).encode()
        headers = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in answer.headers.items())
        writer.write((HTTP.format(status=answer.status, length=len(body)) + headers + "\r\n").encode() + body)
        await writer.drain()
        writer.close()

    @staticmethod
    async def stream(answer: Answer, writer: asyncio.StreamWriter) -> None:
        """The answer as server-sent events, each a chunk of the body."""
        writer.write(STREAM)
        for number, event in enumerate([*pieces_of(answer.body), b"[DONE]"]):
            if answer.before_piece:
                await answer.before_piece(number)
            if number == answer.cut_after:
                break
            data = b"data: " + event + b"\n\n"
            writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await writer.drain()
        else:
            writer.write(b"0\r\n\r\n")
        writer.close()


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
def settings(own_database: str, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> QaSettings:
    # One test's questions must not come to another: those of the cache switch it on, with wishes of their own.
    monkeypatch.setenv("GENERATION_CACHE_SECONDS", "0")
    return load_settings(QaSettings)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Notes the commands to Mongo. Mongo's clients take their listeners when they are made, so `api` asks for it."""
    made = Recorder()
    listeners = monitoring._LISTENERS._replace(command_listeners=[*monitoring._LISTENERS.command_listeners, made])
    monkeypatch.setattr(monitoring, "_LISTENERS", listeners)
    return made


@pytest.fixture
def check_queries(container: QaContainer, recorder: Recorder) -> QueryChecks:
    """What each room checks its repository with: see `QueryChecks`."""
    return QueryChecks(container.resources.mongo.db, recorder)


@pytest.fixture
async def api(settings: QaSettings, recorder: Recorder) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The running API, and a client of it without a token."""
    with app_again(create_app) as app:
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
    async with open_model(settings, container.resources.mongo) as model:
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


@pytest.fixture
def add_question(container: QaContainer, user: ObjectId) -> Call:
    """Adds a question of the user's own to a session, with defaults for what is not given."""

    async def call(session: Document, owner: ObjectId = user, **fields: Any) -> Document:
        points = ["An index is a sorted structure", "It makes writes slower", "It serves range queries"]
        told = {"text": "What is an index in SQL?", "category": "SQL", "keyPoints": points, **fields}
        told.setdefault("answer", ". ".join(told["keyPoints"]))
        return await container.questions.add(owner, session["_id"], NewQuestion.model_validate(told))

    return call
