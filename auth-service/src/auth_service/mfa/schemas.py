"""Requests and answers of the routes of the second factor."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from auth_service.accounts.schemas import PasswordText
from intervai_shared.models import InputModel, UtcTime, WireModel

Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Field(examples=["492039"])]
RecoveryCode = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z -]{16,32}$"), Field(examples=["3kdm-9x0a-7tq2-hw5z"])
]
MfaToken = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$"), Field(repr=False)]


class MfaRequired(WireModel):
    """The password was right; the log-in goes on at `/mfa/totp/verify`. `expiresIn`: seconds until it is over."""

    mfa_required: Literal[True]
    mfa_token: str
    expires_in: int


class MfaStatus(WireModel):
    """Whether the account has a second factor, since when, and how many recovery codes are left."""

    totp: bool
    confirmed_at: UtcTime | None
    recovery_codes_left: int


class TotpSetup(WireModel):
    """For the authenticator app; shown this once. `otpauthUri` is what a QR code of it holds."""

    secret: str
    otpauth_uri: str


class TotpConfirmation(InputModel):
    """A code that shows that the app has the secret."""

    code: Code


class RecoveryCodes(WireModel):
    """Shown this once. Each is good once, in place of a code of the app."""

    recovery_codes: list[str]


class SecondFactorProof(InputModel):
    """A code of the app or a recovery code: one of them."""

    WAYS: ClassVar[tuple[str, ...]] = ("code", "recovery_code")

    code: Code | None = Field(None, repr=False)
    recovery_code: RecoveryCode | None = Field(None, repr=False)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(getattr(self, way) is not None for way in self.WAYS) != 1:
            raise ValueError(f"exactly one is needed of {', '.join(map(to_camel, self.WAYS))}")
        return self


class SecondStep(SecondFactorProof):
    """Finishes a log-in. `mfaToken` comes from the answer to its first step."""

    mfa_token: MfaToken


class Reauthentication(SecondFactorProof):
    """Shows again who one is. With a second factor it takes one of its codes, else the password."""

    WAYS: ClassVar[tuple[str, ...]] = ("password", "code", "recovery_code")

    password: PasswordText | None = Field(None, repr=False)


class AccessToken(WireModel):
    """An access token for the same session. `expiresIn`: seconds."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  RFC 6750's name of the scheme
    expires_in: int
