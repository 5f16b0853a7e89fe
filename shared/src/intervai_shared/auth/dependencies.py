"""Dependencies that hand the caller to a handler: `user: CurrentUser`, `user: RecentUser` where a token alone must not
be enough, `admin: AdminUser`, `service: CallingService`."""

import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from intervai_shared.auth.principal import SCOPE_KEY, Service, User
from intervai_shared.errors import ForbiddenError, StepUpRequiredError, UnauthenticatedError

#: The role of those who may see and stop other people's accounts.
ADMIN = "admin"
#: Only so that the OpenAPI page offers a place for the token: the check itself is the middleware's.
_documented = HTTPBearer(auto_error=False, description="The access token of register, login or refresh.")


async def _user(request: Request, _: Annotated[object, Depends(_documented)]) -> User:
    principal = request.scope.get(SCOPE_KEY)
    if isinstance(principal, User):
        return principal
    raise UnauthenticatedError("This needs the access token of a signed-in user.")


async def _recent_user(request: Request, user: Annotated[User, Depends(_user)]) -> User:
    max_age = request.app.state.settings.step_up_seconds
    if time.time() - user.authenticated_at > max_age:
        raise StepUpRequiredError(max_age)
    return user


async def _admin(user: Annotated[User, Depends(_user)]) -> User:
    if ADMIN not in user.roles:
        raise ForbiddenError("This is for administrators only.")
    return user


async def _service(request: Request) -> Service:
    principal = request.scope.get(SCOPE_KEY)
    if isinstance(principal, Service):
        return principal
    raise ForbiddenError("This is for other services only.")


CurrentUser = Annotated[User, Depends(_user)]
#: Who has shown who they are within STEP_UP_SECONDS; others are asked to do it again (RFC 9470).
RecentUser = Annotated[User, Depends(_recent_user)]
AdminUser = Annotated[User, Depends(_admin)]
CallingService = Annotated[Service, Depends(_service)]
