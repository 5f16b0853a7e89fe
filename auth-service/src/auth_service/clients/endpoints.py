"""HTTP of service tokens, for the internal entry point only."""

from typing import Annotated

from fastapi import APIRouter, Depends

from auth_service.clients.schemas import Credentials, ServiceToken
from auth_service.clients.service import ClientService
from intervai_shared.app import provide

router = APIRouter(prefix="/internal", tags=["internal"])
Clients = Annotated[ClientService, Depends(provide(lambda container: container.clients))]


@router.post("/token")
async def token(body: Credentials, clients: Clients) -> ServiceToken:
    """A token with which one service calls another."""
    return clients.token(body)
