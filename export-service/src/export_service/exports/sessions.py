"""Sessions, as qa-service tells them."""

from bson import ObjectId

from intervai_shared.auth.service_client import ServiceClient
from intervai_shared.models import Document


class SessionSource:
    """Asks qa-service over the internal entry point."""

    def __init__(self, services: ServiceClient) -> None:
        self._services = services

    async def get(self, user: ObjectId, session_id: str) -> Document:
        """A user's session with its questions. Raises NotFoundError, UnavailableError."""
        answer = await self._services.get("qa-service", f"/internal/users/{user}/sessions/{session_id}")
        return dict(answer)
