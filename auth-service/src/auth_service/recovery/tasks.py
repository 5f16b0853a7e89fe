"""The actor of recovery."""

from typing import TYPE_CHECKING

from intervai_shared.mongo import object_id

if TYPE_CHECKING:
    from auth_service.worker import AuthWorker

QUEUE = "recovery"


async def end_sessions(container: "AuthWorker", user: str, keep: str | None) -> None:
    """Ends a person's sessions, but for `keep`, since Redis was away when their password was changed. Idempotent: what
    has ended stays so; who has logged in since, does it once more."""
    await container.sessions.end_all(object_id(user), keep=keep)
