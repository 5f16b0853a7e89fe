"""How auth-service erases a person."""

from bson import ObjectId

from auth_service.privacy.holdings import HOLDINGS
from auth_service.sessions.service import SessionService
from intervai_shared.privacy.eraser import Extras
from intervai_shared.privacy.erasures import Erasures
from intervai_shared.resources import Resources


def open_erasures(resources: Resources, sessions: SessionService) -> Erasures:
    """First all log-in sessions end; and again at the end, for a log-in that was on its way."""

    async def end_sessions(user: ObjectId) -> dict[str, int]:
        await sessions.end_account(user)
        return {}

    return Erasures(resources, HOLDINGS, Extras(first=[end_sessions], last=[end_sessions]))
