"""Sets of questions that are kept for others with the same wish: in Redis, for a day, in several variants that are
given in turn. Only for interviews that say nothing of the person (no job description, no résumé). Requests for the same
that run at the same time share one call. Without Redis everybody asks the model, as if nothing was kept.

A set holds what the model wrote, and nobody's name. It is taken only as far as it is new to the person.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import RedisError

from intervai_shared.logs import log
from intervai_shared.models import Document
from qa_service.generation.planning import topics_of
from qa_service.generation.prompt import VERSION
from qa_service.settings import QaSettings

READS = Counter("intervai_generation_variants_total", "Looks for a kept set of questions", ["result"])
_CONTENT = ("text", "answer", "difficulty", "category", "keyPoints", "followUps", "model")
#: Seconds between two looks of one who waits for another's set.
_LOOK_SECONDS = 0.1
#: Seconds after which the right to make a set is free again: the one who had it has died.
_LEADS_SECONDS = 120


@dataclass
class Flight:
    """`leads`: ask the model, then `keep` what it made, if it is whole. Else `questions` is a kept set."""

    leads: bool
    questions: list[Document] = field(default_factory=list)
    made: list[Document] = field(default_factory=list)

    def keep(self, questions: list[Document]) -> None:
        """For those who wish the same."""
        self.made = [{name: question[name] for name in _CONTENT} for question in questions]


class Variants:
    """The kept sets of all processes."""

    def __init__(self, redis: Redis, settings: QaSettings) -> None:
        self._redis = redis
        self._most = settings.generation_cache_variants
        self._ttl = settings.generation_cache_seconds
        self._wait = settings.generation_flight_seconds

    @asynccontextmanager
    async def flight(self, key: str) -> AsyncIterator[Flight]:
        """A kept set, or the right to make one, which ends with the block."""
        async with AsyncExitStack() as stack:
            flight = Flight(leads=True)
            with _without_redis():
                flight = await self._join(f"qa:variants:{key}", stack)
            yield flight
            if flight.made:
                with _without_redis():
                    await self._add(f"qa:variants:{key}", flight.made)

    async def _join(self, name: str, stack: AsyncExitStack) -> Flight:
        had = await self._redis.llen(name)
        if had >= self._most and (found := await self._redis.lmove(name, name, "LEFT", "RIGHT")):
            READS.labels("hit").inc()
            return Flight(leads=False, questions=_unpacked(found))
        lock = Lock(self._redis, f"{name}:leads", timeout=_LEADS_SECONDS, sleep=_LOOK_SECONDS)
        async with _timeout(self._wait):
            while not await lock.acquire(blocking=False):
                await asyncio.sleep(_LOOK_SECONDS)
                if await self._redis.llen(name) > had and (newest := await self._redis.lindex(name, -1)):
                    READS.labels("shared").inc()
                    return Flight(leads=False, questions=_unpacked(newest))
            stack.push_async_callback(_release, lock)
        READS.labels("miss").inc()
        return Flight(leads=True)

    async def _add(self, name: str, questions: list[Document]) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.rpush(name, zlib.compress(orjson.dumps(questions), 1))
            pipe.ltrim(name, -self._most, -1)
            pipe.expire(name, self._ttl)
            await pipe.execute()


def key_of(job: Document, session: Document, quality: str, settings: QaSettings) -> str | None:
    """Names what is wished; None when it is tailored to a person, or nothing is kept."""
    if not settings.generation_cache_seconds or session.get("jobDescription") or session.get("resumeText"):
        return None
    model = settings.openai_model_high if quality == "high" else settings.openai_model
    topics = sorted({_plain(topic) for topic in topics_of(job, session)})
    described = [_plain(session["role"]), _plain(session["experience"]), topics, job.get("difficulty"), job["count"]]
    return blake2b(orjson.dumps([VERSION, model, quality, *described]), digest_size=16).hexdigest()


def in_words_of(topics: list[str], question: Document) -> Document:
    """With the topic in the person's own wording."""
    own = {_plain(topic): topic for topic in topics}
    return {**question, "category": own.get(_plain(question["category"]), question["category"])}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _unpacked(packed: Any) -> list[Document]:
    return list(orjson.loads(zlib.decompress(packed)))


async def _release(lock: Lock) -> None:
    with _without_redis():
        await lock.release()


@asynccontextmanager
async def _timeout(seconds: float) -> AsyncIterator[None]:
    """Goes on after so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            yield


@contextmanager
def _without_redis() -> Iterator[None]:
    """Goes on when Redis does not answer."""
    try:
        yield
    except RedisError as error:
        READS.labels("error").inc()
        log.warning("sets of questions are not shared now", error=repr(error))
