"""Settings that every process knows (12-factor, https://12factor.net/config), read from the environment."""

import base64
import binascii
import sys
from typing import Annotated, TypeVar

import limits
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from intervai_shared import redis_address
from intervai_shared.networks import networks


def _parsed(rule: str) -> str:
    limits.parse(rule)  # raises ValueError, at the start and not at the first request
    return rule


#: Like `20/hour` or `5/10 minutes` (https://limits.readthedocs.io/en/stable/quickstart.html#rate-limit-string-notation).
RateRule = Annotated[str, AfterValidator(_parsed)]


def _is_32_bytes(value: SecretStr) -> SecretStr:
    try:
        decoded = base64.urlsafe_b64decode(value.get_secret_value())
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be base64url") from error
    if len(decoded) != 32:
        raise ValueError("must be 32 bytes")
    return value


def _cidrs(text: str) -> str:
    networks(text)  # raises ValueError
    return text


#: 32 random bytes, base64url, from which keys are derived.
MasterKey = Annotated[SecretStr, AfterValidator(_is_32_bytes)]


def _an_address(url: SecretStr) -> SecretStr:
    redis_address.parse(url.get_secret_value())  # raises ValueError, with a text that shows nothing of it
    return url


class ProcessSettings(BaseSettings):
    """Of every process. A secret is a `SecretStr`, so that it never prints."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    service: str = Field(description="Name of the service, e.g. `qa-service`; fixed by each subclass.")
    environment: str = Field("production", description="`local`, `test`, `production`: only a label in the logs.")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    host: str = Field("127.0.0.1", description="Address that the process listens on.")
    port: int = Field(8000, ge=1, le=65535)
    drain_seconds: float = Field(
        2.0, ge=0, description="How long a process goes on serving after SIGTERM while it already reports 'not ready'."
    )

    redis_url: Annotated[SecretStr, AfterValidator(_an_address)] = Field(
        description="One server, Sentinels or a Cluster; the forms are in deploy/redis/README.md."
    )
    redis_timeout_seconds: float = Field(3.0, gt=0)


class ServiceSettings(ProcessSettings):
    """One service's settings; a subclass adds its own."""

    mongo_uri: SecretStr = Field(description="Writes, and reads that must see one's own writes.")
    mongo_read_uri: SecretStr | None = Field(
        None, description="Reads that may be a little behind (`Mongo.read_db`); default: `MONGO_URI`."
    )
    mongo_max_staleness_seconds: int = Field(
        90, ge=90, description="A secondary that is further behind is not read from; 90 is MongoDB's least."
    )
    mongo_database: str
    mongo_timeout_ms: int = Field(5000, ge=100, description="Longest time one Mongo operation may take.")

    job_finish_seconds: float = Field(
        15, ge=1, le=900, description="How long a worker that stops lets its jobs end; the rest is done by another."
    )

    kafka_bootstrap_servers: str = Field(
        "", description="`host:port,…` of a Kafka that gets all events too; off if empty."
    )
    kafka_topic_prefix: str = Field("intervai", description="A topic is `<prefix>.<kind of aggregate>`.")
    kafka_security_protocol: str = Field("PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$")
    kafka_sasl_mechanism: str = Field("SCRAM-SHA-512", pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$")
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")

    internal_gateway_url: str = Field(description="Traefik's internal entry point, for calls between services.")
    internal_timeout_seconds: float = Field(
        6.0, gt=0, description="Longer than MONGO_TIMEOUT_MS, so that a service without its Mongo can still say so."
    )
    service_client_id: str = Field(description="Who this service is towards the others.")
    service_client_secret: SecretStr

    token_issuer: str = "https://intervai.example"  # noqa: S105
    token_audience: str = "intervai"  # noqa: S105
    access_token_ttl_seconds: int = Field(600, ge=5, le=3600)
    step_up_seconds: int = Field(
        300, ge=5, description="What could cost somebody their account asks for password or code again after this."
    )
    trusted_proxies: Annotated[str, AfterValidator(_cidrs)] = Field(
        "",
        description="What stands before the gateway, as CIDRs with commas between; it has the same setting.",
    )
    rate_limit_scale: float = Field(1.0, ge=0, description="Multiplies every rate limit; 0 switches them off.")
    rate_limit_general: RateRule = Field("300/minute", description="Every signed-in request, a person.")
    max_body_bytes: int = Field(1_048_576, ge=1024)


SettingsT = TypeVar("SettingsT", bound=ProcessSettings)


def load_settings(cls: type[SettingsT]) -> SettingsT:
    """Reads the settings, or stops the process with one line that names each wrong variable (never its value)."""
    try:
        return cls()
    except ValidationError as error:
        wrong = "; ".join(f"{_variable(e['loc'])}: {e['msg']}" for e in error.errors(include_input=False))
        sys.exit(f"{cls.__name__}: cannot start, wrong settings: {wrong}")
    except SettingsError as error:  # what should be JSON is none
        wrong = ", ".join(name.upper() for name in cls.model_fields if f'"{name}"' in str(error))
        sys.exit(f"{cls.__name__}: cannot start, wrong settings: {wrong}: must be JSON")


def _variable(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location).upper()
