"""Takes parts away from a stack, one fault after the other, and notes what comes of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from bson import ObjectId
from pymongo import AsyncMongoClient

from intervai_local.parts import instances
from tests.chaos import dependencies_people as people
from tests.chaos.dependencies import BLACK_HOLE, CUT, DOWN, HEAL_SECONDS, REQUESTS, SLOW, SLOW_SECONDS
from tests.chaos.dependencies_people import Kit, Seen, see
from tests.chaos.dependencies_stack import Stack, open_stack
from tests.chaos.proxy import FaultProxy

#: One stack each; no other tests use them.
REDIS_DATABASES = (9, 10, 11)
#: Seconds from the fault to the requests: the gateway's probes have noticed by then.
NOTICE_SECONDS = 1.2
#: Seconds that what was accepted may take once the part is back: a job of a worker that lost Redis waits for the
#: heartbeat time-out, and a retry for its back-off.
DONE_SECONDS = 90.0
#: Requests whose effect is there already when they are sent a second time.
_ONLY_ONCE = frozenset({"log_out", "delete_export"})


@dataclass
class Health:
    """What a process says of itself: the statuses of live and ready, and its parts."""

    live: int
    ready: int
    checks: Mapping[str, str]


@dataclass
class Outcome:
    """One fault. `late` is what did not come true in time, as sentences."""

    seen: dict[str, Seen] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    healed_seconds: float = 0.0
    seconds: float = 0.0
    late: list[str] = field(default_factory=list)
    effects: dict[str, Any] = field(default_factory=dict)


Outcomes = dict[tuple[str, str], Outcome]
#: What is lost together: parts that no request needs both of.
ROUNDS = ("mongo",), ("redis",), ("s3", "llm", "smtp"), ("sister",)


async def run_all() -> tuple[Outcomes, dict[str, str], dict[str, int]]:
    """All faults of all parts, on three stacks side by side: (outcomes, logs by stack and process, connections by
    part)."""
    outcomes: Outcomes = {}
    logs: dict[str, str] = {}
    accepted: Counter[str] = Counter()
    # The ones that take longest first, so that all stacks are done at about the same time.
    left = [(parts, fault) for fault in (SLOW, BLACK_HOLE, DOWN, CUT) for parts in ROUNDS]

    async def on_own_stack(redis_database: int) -> None:
        async with open_stack(redis_database, OPENAI_TIMEOUT_SECONDS="3") as stack:
            while left:
                parts, fault = left.pop(0)
                outcomes["+".join(parts), fault] = await lose(stack, parts, fault)
            logs.update({f"{redis_database} {name}": stack.log_of(name) for name in instances(stack.plan.counts)})
            accepted.update({name: proxy.accepted for name, proxy in stack.proxies.items()})

    async with asyncio.TaskGroup() as stacks:
        for redis_database in REDIS_DATABASES:
            stacks.create_task(on_own_stack(redis_database))
    return outcomes, logs, dict(accepted)


async def lose(stack: Stack, parts: Sequence[str], fault: str) -> Outcome:
    """One fault, from a healthy suite to a healthy suite."""
    outcome, proxies = Outcome(), [stack.proxies[part] for part in parts]
    started = time.monotonic()
    kit = await people.prepare(stack)
    before = await people.new_session(kit)  # its job is on the way when the part goes
    await asyncio.gather(*(inflict(proxy, fault) for proxy in proxies))
    await asyncio.sleep(NOTICE_SECONDS)
    outcome.seen, outcome.health = await asyncio.gather(_ask_everything(kit), _lasting_health(stack))
    await asyncio.gather(*(proxy.heal() for proxy in proxies))
    await _heals(stack, kit, outcome)
    outcome.effects = await _effects(stack, kit, before.json(), outcome)
    await kit.close()
    outcome.seconds = time.monotonic() - started
    return outcome


async def inflict(proxy: FaultProxy, fault: str) -> None:
    if fault == DOWN:
        await proxy.down()
    elif fault == CUT:
        await proxy.cut()
    elif fault == BLACK_HOLE:
        await proxy.black_hole()
    else:
        await proxy.slow(SLOW_SECONDS)


async def _ask_everything(kit: Kit) -> dict[str, Seen]:
    found = await asyncio.gather(*(see(getattr(people, name), kit) for name in REQUESTS))
    return dict(zip(REQUESTS, found, strict=True))


async def _lasting_health(stack: Stack) -> dict[str, Health]:
    """The best of three looks: a busy machine makes any part late now and then, a lost one is so each time."""
    looks = [await health(stack) for _ in range(3)]
    merged = {}
    for name in looks[0]:
        states = [look[name] for look in looks]
        checks = {
            part: "ok" if "ok" in {state.checks[part] for state in states} else word
            for part, word in states[0].checks.items()
        }
        merged[name] = Health(max(s.live for s in states), min(s.ready for s in states), checks)
    return merged


async def health(stack: Stack) -> dict[str, Health]:
    """Of every process, asked directly."""

    async def ask(name: str) -> Health:
        live, ready = await asyncio.gather(
            client.get(f"{stack.url(name)}/health/live"), client.get(f"{stack.url(name)}/health/ready")
        )
        return Health(live.status_code, ready.status_code, ready.json()["checks"])

    names = instances(stack.plan.counts)
    async with httpx.AsyncClient(timeout=people.HANGS_SECONDS) as client:
        found = await asyncio.gather(*(ask(name) for name in names))
    return {name.removesuffix("-1"): state for name, state in zip(names, found, strict=True)}


async def _heals(stack: Stack, kit: Kit, outcome: Outcome) -> None:
    """Waits until every request has its effect and every process is ready, with no help from us."""
    started = time.monotonic()
    left = {name: seen for name, seen in outcome.seen.items() if not (name in _ONLY_ONCE and seen.is_answer)}
    states: dict[str, Health] = {}
    while time.monotonic() - started < HEAL_SECONDS:
        answers = await asyncio.gather(*(see(getattr(people, name), kit) for name in left))
        left = {name: answer for name, answer in zip(left, answers, strict=True) if not _works(name, answer)}
        states = {name: state for name, state in (await health(stack)).items() if set(state.checks.values()) != {"ok"}}
        if not left and not states:
            break
        await asyncio.sleep(0.1)
    outcome.healed_seconds = time.monotonic() - started
    outcome.late += [f"{name} does not answer again: {answer}" for name, answer in left.items()]
    outcome.late += [f"{name} is not ready again: {state.checks}" for name, state in states.items()]


def _works(request: str, answer: Seen) -> bool:
    """A key whose request was cut off counts as being handled until its lease ends: 409, for up to a minute."""
    return answer.is_answer or (request == "new_session_with_key" and answer.status == 409)


async def _effects(stack: Stack, kit: Kit, before: Any, outcome: Outcome) -> dict[str, Any]:
    """What there is of that which was accepted, straight from the databases."""
    accepted = [before, *(_body(outcome, name) for name in ("new_session", "new_session_with_key"))]
    jobs = [session["generation"]["jobId"] for session in accepted if session]
    export = _body(outcome, "new_export")
    paths = [f"/api/v1/jobs/{job}" for job in jobs] + ([f"/api/v1/exports/{export['id']}"] if export else [])
    ended = await asyncio.gather(*(_ended(kit, path, outcome) for path in paths))
    again = await people.new_session_with_key(kit)
    key_kept = not outcome.seen["new_session_with_key"].is_answer or again.json() == _body(
        outcome, "new_session_with_key"
    )
    found = {
        "statuses": sorted({str(found["status"]) for found in ended}),
        "errors": [found["error"] for found in ended if found.get("error")],
        "key gives the first answer": key_kept,
        "sessions nobody was told of": await _untold(stack, kit),
        "questions": await _questions(stack, [session["id"] for session in accepted if session]),
        "the new account's profile": await _profile_of(kit, _body(outcome, "register")),
        "letters to the new account": await people.letters_for(_body(outcome, "register"), DONE_SECONDS),
        "the token after the log-out": await _after_log_out(kit),
    }
    if export and ended[-1].get("downloadUrl"):
        async with httpx.AsyncClient() as anybody:
            found["file"] = (await anybody.get(ended[-1]["downloadUrl"])).status_code
    return found


async def _untold(stack: Stack, kit: Kit) -> list[str]:
    """Sessions that were made although their request was refused; one with a key is told when it is sent again."""
    async with AsyncMongoClient[dict[str, Any]](stack.mongo_uri) as mongo:
        stored = await mongo[stack.database("qa")].sessions.distinct("_id", {"user": ObjectId(kit.user)})
    return sorted({str(session) for session in stored} - kit.told)


def _body(outcome: Outcome, request: str) -> Any:
    seen = outcome.seen[request]
    return seen.body if seen.is_answer else None


async def _ended(kit: Kit, path: str, outcome: Outcome) -> dict[str, Any]:
    try:
        return await people.ended(kit, path, DONE_SECONDS)
    except TimeoutError:
        outcome.late.append(f"{path} has not ended: {(await kit.http.get(path)).text}")
        return {"status": "stuck"}


async def _questions(stack: Stack, sessions: Sequence[str]) -> list[tuple[int, int]]:
    """For each session, how many questions it has, and how often their event was written."""
    async with AsyncMongoClient[dict[str, Any]](stack.mongo_uri) as mongo:
        db = mongo[stack.database("qa")]
        return [
            (
                await db.questions.count_documents({"session": ObjectId(session)}),
                await db.events.count_documents({"aggregateId": ObjectId(session), "type": "questions.generated"}),
            )
            for session in sessions
        ]


async def _profile_of(kit: Kit, registered: Any) -> int | None:
    """Whether the event of a registration has arrived; None when there was none."""
    if not registered:
        return None
    headers = {"Authorization": f"Bearer {registered['accessToken']}"}
    return (await kit.http.get("/api/v1/users/me", headers=headers)).status_code


async def _after_log_out(kit: Kit) -> int:
    """What the token of the session that was ended gets: 401 once every process knows."""
    headers = {"Authorization": f"Bearer {kit.leaving_token}"}
    for _ in range(50):
        if (status := (await kit.http.get("/api/v1/sessions", headers=headers)).status_code) == 401:
            break
        await asyncio.sleep(0.1)
    return status
