"""A POST that is sent again has its effect once, and gets the first answer."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from bson import ObjectId
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from intervai_shared import idempotency
from intervai_shared.auth.principal import SCOPE_KEY, User
from intervai_shared.errors import NotFoundError, UnavailableError
from intervai_shared.http.body_limit import BodyLimitMiddleware
from intervai_shared.http.idempotency import REPLAYED_HEADER, IdempotencyMiddleware
from intervai_shared.http.problems import install_handlers
from intervai_shared.mongo import Mongo, Session

ADA, BOB = ObjectId(), ObjectId()


class Order(BaseModel):
    """What the test's route takes."""

    item: str


class SignedIn:
    """Stands for the authentication: the test says in a header who asks."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if user := dict(scope.get("headers", [])).get(b"x-test-user"):
            scope[SCOPE_KEY] = User(ObjectId(user.decode()), "session", frozenset(), 0)
        await self._app(scope, receive, send)


class Shop:
    """A service with one POST route, whose transaction makes an order. `faults` are raised after it, one a call."""

    def __init__(self, mongo: Mongo) -> None:
        self.mongo = mongo
        self.faults: list[BaseException] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.handled = 0
        limit = Middleware(BodyLimitMiddleware, max_bytes=1000)
        middleware = [Middleware(SignedIn), limit, Middleware(IdempotencyMiddleware)]
        self.app = FastAPI(middleware=middleware)
        self.app.state.container = SimpleNamespace(resources=SimpleNamespace(mongo=mongo))
        install_handlers(self.app)
        self.app.post("/orders", status_code=201)(self.order)

    async def order(self, body: Order) -> dict[str, str]:
        self.handled += 1
        self.entered.set()
        await self.gate.wait()
        if body.item == "unicorn":
            raise NotFoundError("There is no such item.")

        async def store(session: Session) -> dict[str, Any]:
            made = {"_id": ObjectId(), "item": body.item}
            await self.mongo.db.orders.insert_one(made, session=session)
            return made

        made = await self.mongo.transaction(store)
        if self.faults:
            raise self.faults.pop()
        return {"id": str(made["_id"]), "item": made["item"]}

    async def count(self) -> int:
        return await self.mongo.db.orders.count_documents({})


@pytest.fixture
def shop(mongo: Mongo) -> Shop:
    return Shop(mongo)


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(shop.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def post(client: httpx.AsyncClient, key: str | None, item: str = "lamp", user: ObjectId = ADA) -> httpx.Response:
    headers = {"X-Test-User": str(user)} | ({"Idempotency-Key": key} if key else {})
    return await client.post("/orders", json={"item": item}, headers=headers)


async def test_the_same_key_gives_the_same_answer_byte_for_byte(client: httpx.AsyncClient, shop: Shop) -> None:
    first, again = await post(client, "key-1"), await post(client, '"key-1"')
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["content-type"] == again.headers["content-type"]
    assert (REPLAYED_HEADER in first.headers, again.headers[REPLAYED_HEADER]) == (False, "true")
    assert (await shop.count(), shop.handled) == (1, 1)


async def test_keys_belong_to_a_person(client: httpx.AsyncClient, shop: Shop) -> None:
    one, other = await post(client, "key-1"), await post(client, "key-1", user=BOB)
    assert one.json()["id"] != other.json()["id"]
    assert await shop.count() == 2


async def test_without_a_key_each_request_counts(client: httpx.AsyncClient, shop: Shop) -> None:
    await post(client, None)
    await post(client, None)
    assert await shop.count() == 2


async def test_twenty_at_once_have_one_effect_and_the_others_are_told_to_wait(
    client: httpx.AsyncClient, shop: Shop
) -> None:
    shop.gate.clear()
    racing = asyncio.gather(*(post(client, "key-1") for _ in range(20)))
    await shop.entered.wait()
    early = await post(client, "key-1")
    shop.gate.set()
    answers = [early, *await racing]
    assert (early.status_code, early.headers["retry-after"]) == (409, "1")
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await shop.count() == 1


async def test_the_key_of_another_body_is_refused(client: httpx.AsyncClient, shop: Shop) -> None:
    await post(client, "key-1", "lamp")
    refused = await post(client, "key-1", "table")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "header.Idempotency-Key"
    assert await shop.count() == 1


@pytest.mark.parametrize("fault", [RuntimeError("the process is gone"), UnavailableError("no more now")])
async def test_what_was_committed_before_a_fault_is_not_done_again(
    fault: BaseException, client: httpx.AsyncClient, shop: Shop
) -> None:
    shop.faults.append(fault)
    assert (await post(client, "key-1")).status_code >= 500
    stored = await shop.mongo.db.orders.find_one()
    assert stored is not None
    again = await post(client, "key-1")
    assert (again.status_code, again.json()["id"]) == (201, str(stored["_id"]))
    assert (await shop.count(), shop.handled) == (1, 2)
    assert (await post(client, "key-1")).content == again.content


async def test_a_request_whose_process_died_is_taken_over_when_its_lease_is_over(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", 0.3)
    shop.gate.clear()
    lost = asyncio.create_task(post(client, "key-1"))
    await shop.entered.wait()
    assert (await post(client, "key-1")).status_code == 409
    await asyncio.sleep(0.4)
    shop.gate.set()
    taken_over = await post(client, "key-1")
    late = await lost  # it was not dead, only slow: it must not commit a second effect
    assert {taken_over.status_code, late.status_code} <= {201, 409}
    assert await shop.count() == 1


async def test_a_lasting_refusal_is_kept_too(client: httpx.AsyncClient, shop: Shop) -> None:
    first, again = await post(client, "key-1", "unicorn"), await post(client, "key-1", "unicorn")
    assert (first.status_code, again.status_code) == (404, 404)
    assert first.content == again.content
    assert shop.handled == 1


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "ä"])
async def test_a_senseless_key_is_refused(key: str, client: httpx.AsyncClient, shop: Shop) -> None:
    headers = {"X-Test-User": str(ADA), "Idempotency-Key": key.encode("latin-1").decode("latin-1")}
    answer = await client.post("/orders", json={"item": "lamp"}, headers=httpx.Headers(headers, encoding="latin-1"))
    assert answer.status_code == 422
    assert await shop.count() == 0


async def test_a_body_over_the_limit_is_refused(client: httpx.AsyncClient, shop: Shop) -> None:
    answer = await post(client, "key-1", "x" * 2000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
