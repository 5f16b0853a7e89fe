"""What the commands of auth-service (`python -m auth_service.keys`, `python -m auth_service.admin`) open."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auth_service.audit.repository import AuditRepository
from auth_service.audit.service import AuditLog
from auth_service.caller import Caller
from auth_service.settings import AuthSettings
from intervai_shared import logs, mongo, redis
from intervai_shared.auth.revocations import Revocations
from intervai_shared.mongo import Mongo
from intervai_shared.settings import load_settings

#: Who acts, for the audit log.
COMMAND_LINE = Caller("", "command line")


@dataclass(frozen=True)
class Parts:
    """No more than the commands need: no service, no worker, no HTTP."""

    settings: AuthSettings
    master_key: bytes
    mongo: Mongo
    audit: AuditLog
    revocations: Revocations


@asynccontextmanager
async def open_parts() -> AsyncIterator[Parts]:
    """Reads the settings from the environment; connects at the first use."""
    settings = load_settings(AuthSettings)
    logs.configure(settings.service, "ERROR")  # what happened is printed, and is in the audit log
    master = base64.urlsafe_b64decode(settings.key_encryption_key.get_secret_value())
    database, client = mongo.connect(settings), redis.connect(settings)
    try:
        audit = AuditLog(AuditRepository(database.db))
        yield Parts(settings, master, database, audit, Revocations(client, settings.access_token_ttl_seconds))
    finally:
        await client.aclose()
        await database.close()
