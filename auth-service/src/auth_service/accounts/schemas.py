"""Requests and answers of the account routes."""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, EmailStr, Field, StringConstraints

from intervai_shared.models import InputModel, Resource, Text, UtcTime, WireModel


def _normalised(value: str) -> str:
    """What the same keys give on every system (NIST SP 800-63B-4, 3.1.1.2). Raises ValueError: it is no text."""
    value.encode("utf-8", "strict")  # a lone surrogate parses as JSON and cannot be hashed
    return unicodedata.normalize("NFKC", value)


#: Not a `Text`: nothing of a password may be trimmed away.
PasswordText = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_normalised)]
AnyPassword = Annotated[PasswordText, Field(repr=False)]
#: A password to be taken on; which ones are refused besides is in `password_rules`.
Password = Annotated[AnyPassword, StringConstraints(min_length=8)]
Email = Annotated[EmailStr, Field(max_length=254, examples=["ada@example.com"])]


#: Where the refresh token goes: into the body, for clients that can keep a secret, or into an HttpOnly cookie.
TokenMode = Literal["body", "cookie"]


class WayIn(InputModel):
    """Base of the requests that sign somebody in."""

    token_mode: TokenMode = Field("body", description="`cookie` is for browsers: no script can read the refresh token.")


class Registration(WayIn):
    """A new account."""

    email: Email
    password: Password = Field(examples=["correct horse battery"])
    full_name: Annotated[Text, StringConstraints(min_length=1, max_length=120)] = Field(examples=["Ada Lovelace"])


class VerificationRequired(WireModel):
    """The answer to register where addresses must be confirmed first: the same for one that has an account already."""

    verification_required: bool = True


class Login(WayIn):
    """Log-in by e-mail and password."""

    email: Email
    password: AnyPassword


class Account(Resource):
    """An account, without its secrets."""

    email: str
    email_verified_at: UtcTime | None = None
    roles: list[str]
    full_name: str | None = Field(None, description="Only in the answer to register; user-service owns it.")
