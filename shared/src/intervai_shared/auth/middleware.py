"""Authentication of every request, before anything of it is read: what is not named public needs a token."""

from collections.abc import Set as AbstractSet

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from intervai_shared.auth.principal import SCOPE_KEY, Service, User
from intervai_shared.auth.tokens import TokenVerifier
from intervai_shared.errors import ProblemError, UnauthenticatedError, problem_response
from intervai_shared.http.limits import RateLimits

INTERNAL_PREFIX = "/internal/"


class AuthenticationMiddleware:
    """Denies by default: a new route is closed until somebody writes its path into `public`. A path there may have
    parameters, like `/things/{id}`, of which each stands for one segment."""

    def __init__(self, app: ASGIApp, public: AbstractSet[str]) -> None:
        self._app = app
        self._public = frozenset(path for path in public if "{" not in path)
        self._templates = [compile_path(path)[0] for path in public if "{" in path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_public(scope["path"]):
            return await self._app(scope, receive, send)
        container = scope["app"].state.container.resources
        try:
            scope[SCOPE_KEY] = await authenticate(scope, container.verifier, container.limits)
        except ProblemError as error:
            return await problem_response(error, scope["path"])(scope, receive, send)
        return await self._app(scope, receive, send)

    def _is_public(self, path: str) -> bool:
        return path in self._public or any(template.fullmatch(path) for template in self._templates)


async def authenticate(scope: Scope, verifier: TokenVerifier, limits: RateLimits) -> User | Service:
    """The caller of a request: a service on internal paths, a person elsewhere.

    Raises:
        UnauthenticatedError: no token, or one that is not good here.
        TooManyRequestsError: the person's general limit is used up.
    """
    token = _bearer(scope)
    if scope["path"].startswith(INTERNAL_PREFIX):
        return await verifier.service(token)
    user = await verifier.user(token)
    await limits.general(str(user.id))
    return user


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer" and token:
                return str(token.strip())
    raise UnauthenticatedError("An access token is needed: Authorization: Bearer <token>.")
