"""Settings of auth-service."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from auth_service.letters import addresses as mail
from intervai_shared.scheduling.scheduler import trigger_of
from intervai_shared.settings import MasterKey, RateRule, ServiceSettings

#: Five fields of cron, weekdays by their names: by number 1 is Monday in crontab(5), and Tuesday for our scheduler.
_CRON = re.compile(r"(\S+ ){4}[a-z*,-]+")


def _a_schedule(cron: str) -> str:
    if not _CRON.fullmatch(cron):
        raise ValueError("must be five fields of cron, weekdays by name, like 0 6 * * mon")
    trigger_of(cron)  # raises ValueError
    return cron


class AuthSettings(ServiceSettings):
    """What only auth-service knows."""

    service: str = "auth-service"
    mongo_database: str = "intervai_auth"

    key_encryption_key: MasterKey = Field(description="32 random bytes, base64url: seals signing keys, makes tokens.")
    key_rotation_days: int = Field(30, ge=1, description="For how long a key signs before the next one is made.")
    service_clients: dict[str, SecretStr] = Field(description="JSON: the secret of each service that may ask tokens.")
    service_token_ttl_seconds: int = Field(300, ge=30, le=3600)

    refresh_idle_seconds: int = Field(14 * 86_400, ge=60, description="A session unused for so long ends.")
    refresh_absolute_seconds: int = Field(60 * 86_400, ge=60, description="A session ends after this in any case.")
    refresh_grace_seconds: float = Field(
        5.0, ge=0, description="A refresh token used twice within this gets the same successor: two tabs, one person."
    )

    argon2_time_cost: int = Field(3, ge=1)
    argon2_memory_kib: int = Field(65_536, ge=8, description="Memory of one hash; 64 MiB as RFC 9106 recommends.")
    argon2_parallelism: int = Field(4, ge=1)
    password_workers: int = Field(2, ge=1, description="Hashes at a time, so that a storm of log-ins stays bounded.")

    rate_limit_login: RateRule = Field("10/15 minutes", description="Log-ins, an account and an address.")
    lockout_failures: int = Field(
        5, ge=1, description="Wrong passwords or codes, of an account from one address, after which the next must wait."
    )
    lockout_account_failures: int = Field(
        20, ge=1, description="The same of an account from anywhere; never where its owner has logged in from before."
    )
    lockout_address_failures: int = Field(50, ge=1, description="The same of an address with all accounts.")
    lockout_first_seconds: float = Field(1.0, gt=0, description="The first wait; each failure doubles it.")
    lockout_longest_seconds: float = Field(900.0, gt=0, description="No wait is longer.")
    lockout_forget_seconds: int = Field(86_400, ge=1, description="Without a failure for so long all is forgotten.")
    rate_limit_register: RateRule = Field("20/hour", description="New accounts, an address.")
    rate_limit_email: RateRule = Field("5/hour", description="Letters that people ask for, an account and an address.")

    smtp_url: Annotated[SecretStr, AfterValidator(mail.a_server)] = Field(
        description="smtp://host:port, smtp+starttls://user:password@host:port or smtps://user:password@host:port."
    )
    mail_from: Annotated[str, AfterValidator(mail.a_mailbox)] = Field(
        "InterVAI <no-reply@intervai.example>", description="The sender of all letters, with or without a name."
    )
    app_url: str = Field(
        "http://localhost:8080", pattern=r"^https?://[^\s/#?]+(/[^\s#?]*)?$", description="Where links in letters lead."
    )
    api_url: str = Field(
        "",
        pattern=r"^(https://[^\s/#?]+(/[^\s#?]*)?)?$",
        description="Where this API is reached from outside, by HTTPS: for unsubscribing by one click. Empty: without.",
    )
    registration_verifies_email: bool = Field(
        False, description="Register shows nobody who has an account: no tokens until the address is confirmed."
    )

    weekly_review_cron: Annotated[str, AfterValidator(_a_schedule)] = Field(
        "0 6 * * mon", description="When the weekly letters of due questions go out (UTC); once a person and ISO week."
    )

    mfa_issuer: str = Field("InterVAI", min_length=1, description="Authenticator apps show it beside the e-mail.")

    @field_validator("argon2_parallelism")
    @classmethod
    def _has_memory(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("argon2_memory_kib", 8 * value) < 8 * value:  # RFC 9106, section 3.1
            raise ValueError("each lane needs 8 KiB of ARGON2_MEMORY_KIB")
        return value
