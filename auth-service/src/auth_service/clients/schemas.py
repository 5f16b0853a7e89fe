"""Requests and answers of the token route for services."""

from typing import Annotated

from pydantic import StringConstraints

from intervai_shared.models import InputModel, WireModel

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{1,40}$")]


class Credentials(InputModel):
    """Who asks, with its secret, and whom it wants to call."""

    client_id: Name
    client_secret: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    audience: Name


class ServiceToken(WireModel):
    """`expiresIn`: seconds."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  RFC 6750's name of the scheme
    expires_in: int
