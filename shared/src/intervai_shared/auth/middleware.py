"""Authentication of every request, before anything of it is read: what is not named public needs a token."""

from collections.abc import Set as AbstractSet

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from intervai_shared.auth.principal import SCOPE_KEY, Service, User
from intervai_shared.auth.tokens import TokenVerifier
from intervai_shared.errors import ProblemError, UnauthenticatedError, problem_response
from intervai_shared.http.limits import RateLimits

INTERNAL_PREFIX = "/internal/"


class PublicPaths:
    """Paths that need no token. One may have parameters, like `/things/{id}`, of which each stands for one segment."""

    def __init__(self, paths: AbstractSet[str]) -> None:
        self._paths = frozenset(path for path in paths if "{" not in path)
        self._templates = [compile_path(path)[0] for path in paths if "{" in path]

    def cover(self, path: str) -> bool:
        """Whether one of them is this path, or has it as a case."""
        return path in self._paths or any(template.fullmatch(path) for template in self._templates)


class AuthenticationMiddleware:
    """Denies by default: a new route is closed until somebody writes its path into `public`."""

    def __init__(self, app: ASGIApp, public: PublicPaths) -> None:
        self._app = app
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._public.cover(scope["path"]):
            return await self._app(scope, receive, send)
        container = scope["app"].state.container.resources
        try:
            scope[SCOPE_KEY] = await authenticate(scope, container.verifier, container.limits)
        except ProblemError as error:
            return await problem_response(error, scope["path"])(scope, receive, send)
        return await self._app(scope, receive, send)


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
