"""Paths as logs may show them."""

from starlette.types import Scope

from intervai_shared.logs import SECRET_KEYS


def path_for_log(scope: Scope) -> str:
    """The path of a request without those of its parameters that open something to whoever knows them: their names say
    so, like those of other secrets in our logs."""
    path: str = scope["path"]
    for name, value in scope.get("path_params", {}).items():
        if SECRET_KEYS.search(name):
            path = path.replace(str(value), "[redacted]")
    return path
