"""Every collection is declared: what it holds of people, or that it holds nothing. Who adds one must say it in the
service's `privacy/holdings.py`, so that erasure and data export know of it."""

import importlib
import os
from typing import Any

import httpx
import pytest
from pymongo import IndexModel, MongoClient

from intervai_shared import resources
from intervai_shared.messaging.events.catalogue import Event, ForeignEvent
from intervai_shared.privacy.events import DELETED, ERASED
from intervai_shared.privacy.holdings import IDEMPOTENCY_KEYS, Holding, Holdings
from tests.privacy.plant import plant

SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
#: What a person must never be shown: their own secrets among it, since a file is more easily lost than a database.
SECRETS = ("password", "hash", "secret", "sealed", "token", "code", "key", "mfa", "lease")


def of_service(service: str, module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{service.replace('-', '_')}.{module}"), name)


def holdings(service: str) -> Holdings:
    declared: Holdings = of_service(service, "privacy.holdings", "HOLDINGS")
    return declared


def indexes(service: str) -> dict[str, list[IndexModel]]:
    return {**resources.INDEXES, **of_service(service, "container", "INDEXES")}


@pytest.mark.parametrize("service", SERVICES)
def test_every_collection_that_a_service_makes_is_declared(service: str) -> None:
    assert holdings(service).undeclared(list(indexes(service))) == []


async def test_every_collection_that_exists_once_all_is_used_is_declared(gateway: httpx.AsyncClient) -> None:
    await plant(gateway)
    with MongoClient[Any](os.environ["MONGO_URI"]) as client:
        for service in SERVICES:
            names = client[f"intervai_{service.removesuffix('-service')}"].list_collection_names()
            assert len(names) > 5
            assert holdings(service).undeclared(names) == [], service


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_declared_can_be_found_by_an_index(service: str) -> None:
    for holding in (*holdings(service).documents, IDEMPOTENCY_KEYS):
        begins = {next(iter(index.document["key"])) for index in indexes(service).get(holding.collection, [])}
        assert set(holding.owner) <= begins | {"_id"}, holding.collection


@pytest.mark.parametrize("service", SERVICES)
def test_every_event_names_its_person_so_that_it_can_be_erased(service: str) -> None:
    for event in of_service(service, "events", "EVENTS"):
        if issubclass(event, ForeignEvent) or event.TYPE in {DELETED, ERASED}:
            continue
        assert event.AGGREGATE == "user" or names_a_user(event), event.TYPE


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_among_the_fields_that_are_shown(service: str) -> None:
    for holding in holdings(service).documents:
        suspects = [field for field in holding.shown if any(secret in field.lower() for secret in SECRETS)]
        assert [field for field in suspects if not allowed(holding, field)] == [], holding.collection


def names_a_user(event: type[Event]) -> bool:
    return "user" in {field.alias for field in event.model_fields.values()}


def allowed(holding: Holding, field: str) -> bool:
    """The points that an answer should make, what is in a file; the tokens of a language model are no tokens."""
    return (holding.collection, field) in {
        ("questions", "keyPoints"),
        ("llm_spend", "inputTokens"),
        ("llm_spend", "outputTokens"),
        ("exports", "contentHash"),
    }
