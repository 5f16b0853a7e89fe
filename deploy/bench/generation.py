"""How many generations one qa worker does beside a provider that takes 2 s, and what the pipeline adds to that.

`make bench TARGET=generation` runs it on the databases of a running suite, with a worker, a database and a provider of
its own. JOBS, QUESTIONS, THREADS and STREAM=0 change it. A provider's reply comes as tokens of 4 characters, each an
event; what falls due within a hundredth of a second is sent at once. Every job is of another user.
"""

import asyncio
import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from typing import Any

import httpx
import orjson
import psutil
from bson import ObjectId
from pymongo import MongoClient
from rich.console import Console
from rich.table import Table

JOBS = int(os.environ.get("JOBS", "400"))
QUESTIONS = int(os.environ.get("QUESTIONS", "10"))
THREADS = int(os.environ.get("THREADS", "128"))
LIGHT_JOBS, LIGHT_PAUSE_SECONDS = 20, 0.4
STREAM = os.environ.get("STREAM", "1")
REPLY_SECONDS, TICK_SECONDS, TOKEN = 2.0, 0.01, 4
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\n\r\n"
ANSWER = "It depends on what is read and what is written, and a good answer weighs both against each other. " * 4


def reply() -> str:
    """Ten questions that nobody has asked before, of about 700 characters each."""
    words = [secrets.token_hex(4) for _ in range(8)]
    questions = [
        {
            "text": f"How would you {' '.join(secrets.token_hex(3) for _ in range(9))} with {word}?",
            "answer": ANSWER,
            "difficulty": "medium",
            "category": "SQL",
            "keyPoints": ["It names the costs", "It gives an example", "It says when not to"],
            "followUps": ["What changes with more data?", "How would you test it?"],
        }
        for word, _ in zip(words * QUESTIONS, range(QUESTIONS), strict=False)
    ]
    return json.dumps({"questions": questions})


async def provide(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the requests of one connection."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ", 1)[1].split("\r\n", 1)[0])
            request = orjson.loads(await reader.readexactly(length))
            await (streamed if request.get("stream") else plain)(writer, reply())
    writer.close()


async def plain(writer: asyncio.StreamWriter, content: str) -> None:
    """The whole reply after two seconds."""
    await asyncio.sleep(REPLY_SECONDS)
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    body = orjson.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "bench", "choices": [choice]})
    writer.write(HEAD % (b"application/json", b"Content-Length: %d" % len(body)) + body)


async def streamed(writer: asyncio.StreamWriter, content: str) -> None:
    """Evenly over two seconds."""
    events = [_event({"content": content[at : at + TOKEN]}) for at in range(0, len(content), TOKEN)]
    writer.write(HEAD % (b"text/event-stream", b"Transfer-Encoding: chunked"))
    began, sent = time.perf_counter(), 0
    while sent < len(events):
        await asyncio.sleep(TICK_SECONDS)
        due = min(len(events), int(len(events) * (time.perf_counter() - began) / REPLY_SECONDS))
        if data := b"".join(events[sent:due]):
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        sent = due
    data = _event({}, "stop") + b"data: [DONE]\n\n"
    writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    common = {"id": "chatcmpl-0123456789abcdef", "object": "chat.completion.chunk", "created": 1, "model": "bench"}
    return b"data: %s\n\n" % orjson.dumps({**common, "system_fingerprint": "fp_0", "choices": choices})


async def serve_provider(port: int) -> None:
    """The provider's process."""
    async with await asyncio.start_server(provide, "127.0.0.1", port) as server:
        await server.serve_forever()


def settings_of_bench(port: int, health: int) -> dict[str, str]:
    """Of the worker: what the suite has, but for a database, queues and a provider of its own."""
    clients = json.loads(os.environ["SERVICE_CLIENTS"])
    return {
        **os.environ,
        "MONGO_DATABASE": f"bench_{secrets.token_hex(4)}",
        "REDIS_URL": os.environ["REDIS_URL"].removesuffix("/0") + "/2",
        "SERVICE_CLIENT_ID": "qa-service",
        "SERVICE_CLIENT_SECRET": clients["qa-service"],
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_STREAM": STREAM,
        "GENERATION_THREADS": str(THREADS),
        "GENERATION_CACHE_SECONDS": "0",
        "LLM_HOURLY_USD": "0",
        "LLM_USER_DAILY_USD": "100",
        "RATE_LIMIT_SCALE": "0",
        "LOG_LEVEL": "WARNING",
        "PORT": str(health),
    }


async def measure(pid: int) -> None:
    """First a few jobs on a quiet worker, then as many as it can take; prints the figures."""
    from intervai_shared.settings import load_settings  # noqa: PLC0415  after the environment has been set
    from qa_service.container import open_container  # noqa: PLC0415
    from qa_service.settings import QaSettings  # noqa: PLC0415

    settings = load_settings(QaSettings)
    # The embedded Mongo engine may stand still when indexes are made while there are open transactions.
    await ready(settings.port)
    async with open_container(settings) as container:
        db = container.resources.mongo.db
        await put(container, 1, 0)
        ids = await put(container, LIGHT_JOBS, LIGHT_PAUSE_SECONDS)
        light = await figures(db, ids)
        if STREAM == "1":
            light["first question seen after p50 ms"], light["… at most ms"] = await first_seen(container, ids)
        process = psutil.Process(pid)
        # It begins when all wait: to put them takes as much of the machine as to do them.
        process.suspend()
        ids = await put(container, JOBS, 0, wait=False)
        cpu = sum(process.cpu_times()[:2])
        process.resume()
        await ended(container)
        heavy = await figures(db, ids)
        heavy["CPU ms a generation"] = 1000 * (sum(process.cpu_times()[:2]) - cpu) / JOBS
        heavy["RSS of the worker MB"] = process.memory_info().rss / 2**20
    table = Table("", f"{LIGHT_JOBS} jobs, one by one", f"{JOBS} at once", title="generation, one worker process")
    for name in {**heavy, **light}:
        table.add_row(name, *(f"{side[name]:.1f}" if name in side else "" for side in (light, heavy)))
    Console().print(table)


async def ready(port: int) -> None:
    """Waits until the worker is ready for work."""
    async with httpx.AsyncClient() as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"http://127.0.0.1:{port}/health/ready")).is_success:
                    return
            await asyncio.sleep(0.2)


async def put(container: Any, jobs: int, pause: float, *, wait: bool = True) -> list[ObjectId]:
    """Starts generations as the API does; their ids, when they have ended."""
    from qa_service.sessions.schemas import SessionStart  # noqa: PLC0415

    ids = []
    for _ in range(jobs):
        told = {"role": "Engineer", "experience": "senior", "topics": ["SQL"], "questionCount": QUESTIONS}
        session = await container.sessions.start(ObjectId(), SessionStart.model_validate(told))
        ids.append(session["generation"]["jobId"])
        await asyncio.sleep(pause)
    if wait:
        await ended(container)
    return ids


async def ended(container: Any) -> None:
    """Returns when no job waits or runs."""
    records = container.resources.mongo.db.jobs
    while await records.count_documents({"status": {"$in": ["queued", "running"]}}):  # noqa: ASYNC110
        await asyncio.sleep(0.5)


async def figures(db: Any, ids: list[ObjectId]) -> dict[str, float]:
    """Of jobs that have ended. A fault of one ends the bench."""
    jobs = {job["_id"]: job for job in await db.jobs.find({"_id": {"$in": ids}}).to_list()}
    if bad := [job for job in jobs.values() if job["status"] != "succeeded"]:
        raise RuntimeError(f"{len(bad)} jobs did not succeed: {bad[0]}")
    calls = await db.llm_calls.find({"job": {"$in": ids}}).sort("createdAt", -1).to_list()
    first = {call["job"]: call["createdAt"] for call in calls}
    ended = sorted(job["finishedAt"] for job in jobs.values())
    # Without the ramps: of the middle four fifths.
    tenth = len(ended) // 10
    middle = ended[tenth : len(ended) - tenth]
    beside = [
        (job["finishedAt"] - first[id_]).total_seconds() * 1000 - 1000 * REPLY_SECONDS for id_, job in jobs.items()
    ]
    whole = [
        (job["finishedAt"] - job["createdAt"]).total_seconds() * 1000 - 1000 * REPLY_SECONDS for job in jobs.values()
    ]
    return {
        "generations/s, middle four fifths": (len(middle) - 1) / max((middle[-1] - middle[0]).total_seconds(), 0.001),
        "generations/s, all": len(ended) / (ended[-1] - min(job["createdAt"] for job in jobs.values())).total_seconds(),
        "calls of the model a job": len(calls) / len(jobs),
        "beside the provider p50 ms": statistics.median(beside),
        "with the queue p50 ms": statistics.median(whole),
    }


async def first_seen(container: Any, ids: list[ObjectId]) -> tuple[float, float]:
    """Milliseconds from when the provider has sent the whole first question to when those who watch the job have got
    it: the middle, and the most. An update's id in Redis is its time."""
    seconds = []
    for id_ in ids:
        call = await container.resources.mongo.db.llm_calls.find_one({"job": id_}, sort=[("createdAt", 1)])
        updates = await container.resources.redis.xrange(f"qa-service:live:job:{id_}")
        shown = next(key for key, fields in updates if "question" in orjson.loads(fields[b"data"]))
        share = call["content"].index('}, {"text"') / len(call["content"])
        sent = call["createdAt"].timestamp() + REPLY_SECONDS * share
        seconds.append(int(shown.split(b"-")[0]) / 1000 - sent)
    return statistics.median(seconds) * 1000, max(seconds) * 1000


def main() -> None:
    """Starts the parts, puts the jobs, prints the figures."""
    from intervai_local.state import free_port  # noqa: PLC0415

    if sys.argv[1:2] == ["--provider"]:
        asyncio.run(serve_provider(int(sys.argv[2])))
        return
    if "SERVICE_CLIENTS" not in os.environ:
        sys.exit("run it with the settings of a suite: make bench TARGET=generation")
    port, health = free_port(), free_port()
    settings = settings_of_bench(port, health)
    os.environ.update(settings)
    provider = subprocess.Popen([sys.executable, __file__, "--provider", str(port)])  # noqa: S603
    worker = subprocess.Popen([sys.executable, "-m", "intervai_shared.work", "qa_service.worker"], env=settings)
    try:
        asyncio.run(measure(worker.pid))
    finally:
        provider.kill()
        worker.terminate()
        try:
            worker.wait(30)
        except subprocess.TimeoutExpired:
            worker.kill()
        # Not before: the embedded Mongo engine stands still when it drops what an open transaction has written.
        with MongoClient[Any](settings["MONGO_URI"]) as mongo:
            mongo.drop_database(settings["MONGO_DATABASE"])


if __name__ == "__main__":
    main()
