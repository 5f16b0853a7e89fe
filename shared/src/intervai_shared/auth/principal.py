"""The caller of a request, as the authentication middleware found it."""

from dataclasses import dataclass

from bson import ObjectId

#: Key of the ASGI scope that holds the caller.
SCOPE_KEY = "intervai.principal"


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in person. `session_id` names the login session; `authenticated_at` is when they last showed who they
    are, by password or a second factor. Times are in epoch seconds."""

    id: ObjectId
    session_id: str
    roles: frozenset[str]
    expires_at: int
    issued_at: int = 0
    authenticated_at: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """Another service of the suite."""

    name: str
    expires_at: int
