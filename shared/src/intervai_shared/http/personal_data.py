"""`GET /internal/users/{id}/data`: what a service holds of a person, for user-service, which makes one file of it."""

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from intervai_shared.auth.dependencies import CallingService
from intervai_shared.errors import ForbiddenError
from intervai_shared.http.params import Cursor, IdPath
from intervai_shared.mongo import object_id
from intervai_shared.privacy.data import PersonalData
from intervai_shared.privacy.holdings import Holdings

#: The only client that may ask.
GATHERER = "user-service"


def personal_data_router(holdings: Holdings) -> APIRouter:
    """The route of a service with these holdings."""
    router = APIRouter(prefix="/internal/users", tags=["internal"])

    @router.get("/{user_id}/data", response_class=Response)
    async def personal_data(
        user_id: IdPath, request: Request, service: CallingService, cursor: Cursor = None
    ) -> Response:
        """A page of all that the person may see."""
        if service.name != GATHERER:
            raise ForbiddenError("This is for the service that gathers a person's data.")
        data = PersonalData(request.app.state.container.resources.mongo.db, holdings)
        page = await data.page(object_id(user_id), cursor)
        return Response(orjson.dumps(page, default=str), media_type="application/json")

    return router
