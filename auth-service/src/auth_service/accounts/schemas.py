"""Requests and answers of the account routes."""

from typing import Annotated

from pydantic import EmailStr, Field, StringConstraints

from intervai_shared.models import InputModel, Resource, Text, WireModel

#: NIST SP 800-63B: length is what counts; no composition rules. Not a `Text`: nothing of it may be trimmed away.
Password = Annotated[str, StringConstraints(min_length=8, max_length=128)]
Email = Annotated[EmailStr, Field(max_length=254, examples=["ada@example.com"])]


class Registration(InputModel):
    """A new account."""

    email: Email
    password: Password = Field(examples=["correct horse battery"])
    full_name: Annotated[Text, StringConstraints(min_length=1, max_length=120)] = Field(examples=["Ada Lovelace"])


class Login(InputModel):
    """Log-in by e-mail and password."""

    email: Email
    password: Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Refresh(InputModel):
    """Exchanges a refresh token for its successor."""

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Account(Resource):
    """An account, without its secrets."""

    email: str
    roles: list[str]
    full_name: str | None = Field(None, description="Only in the answer to register; user-service owns it.")


class Tokens(WireModel):
    """`expiresIn`: seconds until the access token ends."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105  RFC 6750's name of the scheme
    expires_in: int


class SignedIn(Tokens):
    """Tokens with the account that they are for."""

    user: Account
