"""Requests and answers of the e-mail and password routes."""

from typing import Annotated

from pydantic import Field, StringConstraints

from auth_service.accounts.schemas import AnyPassword, Email, Password
from intervai_shared.models import InputModel, WireModel

#: The token of a letter's link, as it stands behind `#token=`.
LetterToken = Annotated[str, StringConstraints(min_length=1, max_length=128), Field(repr=False)]


class Address(InputModel):
    """An e-mail address, whether it has an account or not."""

    email: Email


class Verification(InputModel):
    """Confirms the address that a letter was sent to."""

    token: LetterToken


class NewAddress(InputModel):
    """Another e-mail address for one's account."""

    new_email: Email


class PasswordReset(InputModel):
    """A new password, by a letter."""

    token: LetterToken
    new_password: Password = Field(examples=["correct horse battery"])


class PasswordChange(InputModel):
    """A new password, by the old one."""

    current_password: AnyPassword
    new_password: Password = Field(examples=["correct horse battery"])


class Accepted(WireModel):
    """The same for everybody: it tells nothing of who has an account."""

    detail: str = "If a letter can be sent to this address, it is on its way."
