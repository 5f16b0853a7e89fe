"""The description of all services' routes, as it is now."""

import asyncio
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from cashews import Cache

from intervai_shared.auth.service_client import ServiceClient
from intervai_shared.errors import NotFoundError, UnavailableError
from intervai_shared.logs import log
from user_service.api_reference.merge import Json, merged
from user_service.api_reference.page import STYLE, rendered

SERVICES = ("auth-service", "user-service", "qa-service", "export-service")
VERSION = "1"
#: Seconds for which what has been put together is given out before the services are asked again; fewer when one of them
#: did not answer.
KEPT_SECONDS = 300.0
RETRY_SECONDS = 15.0
#: How long Redis remembers what a service told last.
REMEMBERED_SECONDS = 30 * 86_400


@dataclass(frozen=True)
class Reference:
    """The OpenAPI document and the page, as they are sent."""

    openapi: bytes
    page: bytes


class ApiReferenceService:
    """Puts it together, once for all who ask at a time. When a service is away, what it told last stands for it."""

    style = STYLE

    def __init__(self, services: ServiceClient, cache: Cache) -> None:
        self._services = services
        self._cache = cache
        self._told: dict[str, Json] = {}
        self._made: Reference | None = None
        self._until = 0.0
        self._making: asyncio.Task[Reference] | None = None

    async def current(self) -> Reference:
        """As it is now; the one before while a new one is being made.

        Raises:
            UnavailableError: a service cannot be reached, and has never told anything.
        """
        if self._made is not None and time.monotonic() < self._until:
            return self._made
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make())
        if self._made is not None:
            return self._made
        return await asyncio.shield(self._making)

    async def _make(self) -> Reference:
        told = await asyncio.gather(*(self._document_of(service) for service in SERVICES))
        documents = {service: document for service, (document, _) in zip(SERVICES, told, strict=True) if document}
        if len(documents) < len(SERVICES):
            raise UnavailableError("The description of the API is not complete now.")
        made = self._made
        if made is None or documents != self._told:
            made = self._made = await asyncio.to_thread(_reference, documents)
        self._told = documents
        self._until = time.monotonic() + (KEPT_SECONDS if all(is_new for _, is_new in told) else RETRY_SECONDS)
        return made

    async def _document_of(self, service: str) -> tuple[Json, bool]:
        """What a service tells, and whether it has told it just now; empty when nothing is known."""
        try:
            document = await self._services.get(service, "/internal/openapi.json")
        except (UnavailableError, NotFoundError) as error:
            log.warning("a service does not describe itself", of=service, error=repr(error))
            return self._told.get(service) or await self._remembered(service), False
        if document != self._told.get(service):
            packed = zlib.compress(orjson.dumps(document))
            await self._cache.set(_key(service), packed, expire=REMEMBERED_SECONDS)
        return document, True

    async def _remembered(self, service: str) -> Json:
        packed = await self._cache.get(_key(service))
        remembered: Json = orjson.loads(zlib.decompress(packed)) if isinstance(packed, bytes) else {}
        return remembered


def _key(service: str) -> str:
    return f"api-reference:{service}"


def _reference(documents: Mapping[str, Any]) -> Reference:
    document = merged(documents, VERSION)
    return Reference(orjson.dumps(document), rendered(document).encode())
