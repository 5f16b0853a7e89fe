"""Dependencies that hand the caller to a handler: `user: CurrentUser`, `service: CallingService`."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from intervai_shared.auth.principal import SCOPE_KEY, Service, User
from intervai_shared.errors import ForbiddenError, UnauthenticatedError

#: Only so that the OpenAPI page offers a place for the token: the check itself is the middleware's.
_documented = HTTPBearer(auto_error=False, description="The access token of register, login or refresh.")


async def _user(request: Request, _: Annotated[object, Depends(_documented)]) -> User:
    principal = request.scope.get(SCOPE_KEY)
    if isinstance(principal, User):
        return principal
    raise UnauthenticatedError("This needs the access token of a signed-in user.")


async def _service(request: Request) -> Service:
    principal = request.scope.get(SCOPE_KEY)
    if isinstance(principal, Service):
        return principal
    raise ForbiddenError("This is for other services only.")


CurrentUser = Annotated[User, Depends(_user)]
CallingService = Annotated[Service, Depends(_service)]
