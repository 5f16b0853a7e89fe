"""How the description is put together and kept, with services that are there and that are away."""

import asyncio
from typing import Any, cast

import pytest
from cashews import Cache

from intervai_shared.auth.service_client import ServiceClient
from intervai_shared.errors import UnavailableError
from user_service.api_reference import service
from user_service.api_reference.service import SERVICES, ApiReferenceService


def document_of(name: str, words: str) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": {"description": "Successful Response"}}
    operation = {"operationId": name, "tags": [name], "description": words, "responses": answers, "security": []}
    schemas = {"Problem": {"type": "object", "properties": {"status": {"type": "integer"}}}}
    problem = {"$ref": "#/components/schemas/Problem"}
    answers["default"] = {"description": "Error", "content": {"application/problem+json": {"schema": problem}}}
    return {"paths": {f"/api/v1/{name}": {"get": operation}}, "components": {"schemas": schemas}}


class Services:
    """Stands for the way to the four services. `away` are those that do not answer."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.words = "first"
        self.asked: list[str] = []

    async def get(self, name: str, path: str) -> Any:
        assert path == "/internal/openapi.json"
        self.asked.append(name)
        await asyncio.sleep(0)
        if name in self.away:
            raise UnavailableError
        return document_of(name, self.words)


@pytest.fixture
def cache() -> Cache:
    made = Cache()
    made.setup("mem://")
    return made


def opened(services: Services, cache: Cache) -> ApiReferenceService:
    return ApiReferenceService(cast("ServiceClient", services), cache)


async def test_many_who_ask_at_once_ask_each_service_once(cache: Cache) -> None:
    services = Services()
    reference = opened(services, cache)
    made = await asyncio.gather(*(reference.current() for _ in range(50)))
    assert sorted(services.asked) == sorted(SERVICES)
    assert all(one is made[0] for one in made)
    assert await reference.current() is made[0]
    assert len(services.asked) == 4


async def settled(reference: ApiReferenceService) -> service.Reference:
    """What there is when the services have been asked once more, which nobody waits for."""
    await reference.current()
    assert reference._making is not None
    await reference._making
    return await reference.current()


async def test_a_service_that_is_away_is_described_as_it_last_was(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "KEPT_SECONDS", 0)
    services = Services()
    reference = opened(services, cache)
    before = await reference.current()
    services.away, services.words = {"qa-service"}, "second"
    assert await reference.current() is before  # while it is made anew
    after = await settled(reference)
    assert after.openapi.count(b'"second"') == 3
    assert after.openapi.count(b'"first"') == 1
    # Another process, which has never seen it.
    assert (await opened(services, cache).current()).openapi == after.openapi


async def test_what_nobody_has_ever_told_cannot_be_shown(cache: Cache) -> None:
    services = Services()
    services.away = {"auth-service"}
    reference = opened(services, cache)
    with pytest.raises(UnavailableError):
        await reference.current()
    services.away = set()
    assert b"auth-service" in (await reference.current()).openapi
