"""The FastAPI application of a service: wiring that is the same for all."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.middleware import Middleware

from intervai_shared import logs
from intervai_shared.auth.middleware import AuthenticationMiddleware, PublicPaths
from intervai_shared.http import dead_letters
from intervai_shared.http.body_limit import BodyLimitMiddleware
from intervai_shared.http.caching import CacheControlMiddleware
from intervai_shared.http.context import RequestContextMiddleware
from intervai_shared.http.health import HEALTH_PATHS, health_routes
from intervai_shared.http.idempotency import IdempotencyMiddleware
from intervai_shared.http.openapi import OPENAPI_PATH, openapi_route
from intervai_shared.http.problems import install_handlers
from intervai_shared.http.whole_body import WholeBodyMiddleware
from intervai_shared.logs import log
from intervai_shared.resources import Container
from intervai_shared.settings import ServiceSettings

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
T = TypeVar("T")


def create_service_app(
    settings: SettingsT,
    open_container: Callable[[SettingsT], AbstractAsyncContextManager[Container]],
    routers: Sequence[APIRouter],
    *,
    public: AbstractSet[str] = frozenset(),
    keeps_answers: bool = True,
    body_bytes: Mapping[str, int] | None = None,
) -> FastAPI:
    """A service's API: its routers on the chassis. `public` names the paths that need no token. `keeps_answers`: an
    `Idempotency-Key` is heeded, for which answers are stored; not for a service whose answers hold secrets.
    `body_bytes`: by path, the largest body where it is not `max_body_bytes`; the gateway has its own limit for it."""
    logs.configure(settings.service, settings.log_level)
    open_paths = PublicPaths(public | HEALTH_PATHS | {OPENAPI_PATH})

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with open_container(app.state.settings) as container:
                app.state.container = container
                _prepare_routes(app)
                yield
        except Exception:
            log.exception("cannot start, or not end in order")  # the server that runs us tells only that it failed
            raise

    app = FastAPI(
        title=settings.service,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(WholeBodyMiddleware, max_bytes=2 * settings.max_body_bytes, by_path=_doubled(body_bytes or {})),
            Middleware(RequestContextMiddleware),
            Middleware(CacheControlMiddleware),
            Middleware(AuthenticationMiddleware, public=open_paths),
            Middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes, by_path=body_bytes),
            *([Middleware(IdempotencyMiddleware)] if keeps_answers else []),
        ],
    )
    app.state.settings = settings
    install_handlers(app)
    app.router.routes.extend(health_routes(lambda request: request.app.state.container.resources.health))
    for router in (*routers, dead_letters.router):
        app.include_router(router)
    app.router.routes.append(openapi_route(app, open_paths.cover))
    return app


def _prepare_routes(app: FastAPI) -> None:
    """What FastAPI else does at the first request, and all others wait: 0.2 s of CPU for 90 routes."""
    for _ in iter_route_contexts(app.routes):
        pass


def _doubled(body_bytes: Mapping[str, int]) -> dict[str, int]:
    return {path: 2 * count for path, count in body_bytes.items()}


def provide(pick: Callable[[Any], T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency that hands a part of the service's container to a handler."""

    async def dependency(request: Request) -> T:
        return pick(request.app.state.container)

    return dependency
