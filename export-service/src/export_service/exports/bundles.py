"""The rules of bundles: exports of several sessions as one file."""

from bson import ObjectId

from export_service.exports.bundle_schemas import BundleRequest
from export_service.exports.hashing import bundle_hash, content_hash
from export_service.exports.service import ExportService
from export_service.exports.sessions import SessionSource
from export_service.renderers.content import content_of
from intervai_shared.models import Document


class BundleService:
    """Starts bundles. From then on they are exports like any other, of the format `zip`."""

    def __init__(self, exports: ExportService, sessions: SessionSource) -> None:
        self._exports = exports
        self._sessions = sessions

    async def start(self, user: ObjectId, wanted: BundleRequest) -> Document:
        """A bundle of the sessions as they are now: one that there is already, or a new one.

        Raises:
            NotFoundError: the user has no such session, for one of them.
            ConflictError, TooManyRequestsError, UnavailableError: see `ExportService.queue`; also when qa-service
                cannot be asked.
        """
        options = wanted.options.model_dump(by_alias=True)
        digests = []
        for session_id in wanted.session_ids:  # one after the other: each may be large
            answer = await self._sessions.get(user, session_id)
            digests.append(content_hash(user, wanted.format, content_of(answer, options)))
        sessions = [ObjectId(session_id) for session_id in wanted.session_ids]
        about = {"sessions": sessions, "format": "zip", "of": wanted.format, "options": options}
        return await self._exports.queue(user, bundle_hash(digests), about)
