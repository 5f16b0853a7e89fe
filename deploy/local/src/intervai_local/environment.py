"""The settings that a suite hands to its processes, by environment variable."""

import json
import os
import re
from collections.abc import Mapping

from intervai_local.state import HOST, OPERATOR, SERVICES, SuiteError

BUCKET = "intervai-exports"
# What the caller may set for every process; the rest of a suite's settings name its own parts.
DEFAULTS = {"LOG_LEVEL": "INFO", "RATE_LIMIT_SCALE": "1", "DRAIN_SECONDS": "2", "AWS_REGION": "us-east-1"}
LLM = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "OPENAI_MODEL_HIGH", "LLM_FALLBACKS")
PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")

#: What the caller may set for the gateway (gateway/README.md).
GATEWAY = {
    "RATE_LIMIT_SCALE": "1",
    "GATEWAY_TLS": "off",
    "GATEWAY_TLS_PORT": "8443",
    "HSTS_SECONDS": "0",  # a browser would refuse plain HTTP of all that runs on localhost
    "CORS_ORIGINS": "",
    "TRUSTED_PROXIES": "",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "",
    "OTEL_TRACES_SAMPLER_ARG": "",
}

Settings = dict[str, str]


def check(caller: Mapping[str, str]) -> None:
    """
    Raises:
        SuiteError: a number that the runner itself needs is none.
    """
    for name in ("RATE_LIMIT_SCALE", "DRAIN_SECONDS", "GATEWAY_PORT", "GATEWAY_TLS_PORT", "HSTS_SECONDS"):
        value = caller.get(name) or "0"
        if not re.fullmatch(r"\d+(\.\d+)?", value):
            raise SuiteError(f"{name} must be a number that is not negative, not {value!r}")
    if (tls := caller.get("GATEWAY_TLS") or "off") not in {"off", "self-made"}:
        raise SuiteError(f"GATEWAY_TLS must be off or self-made on this machine, not {tls!r}")
    if (kind := caller.get("REDIS") or "single") not in {"single", "cluster"}:
        raise SuiteError(f"REDIS must be single or cluster, not {kind!r}")


def plain(caller: Mapping[str, str]) -> Settings:
    """What a part needs of the caller's environment: no secrets, no PYTHON* or proxy surprises."""
    return {name: caller[name] for name in PLAIN if name in caller}


def gateway(caller: Mapping[str, str]) -> Settings:
    """Settings of Traefik's process, of its static configuration and of the templates in its routes and middlewares."""
    return {name: caller.get(name) or default for name, default in GATEWAY.items()}


def gateway_url(caller: Mapping[str, str], ports: Mapping[str, int]) -> str:
    """Where clients find the suite."""
    settings = gateway(caller)
    if settings["GATEWAY_TLS"] == "off":
        return f"http://{HOST}:{ports['gateway']}"
    return f"https://{HOST}:{settings['GATEWAY_TLS_PORT']}"


def shared(caller: Mapping[str, str], ports: Mapping[str, int], secrets: Mapping[str, str]) -> Settings:
    """Settings that every service and worker gets."""
    mongo = f"mongodb://{HOST}:{ports['mongo']}/"
    s3 = f"http://{HOST}:{ports['s3']}"
    return {
        **{name: caller.get(name) or default for name, default in DEFAULTS.items()},
        "ENVIRONMENT": "local",
        "MONGO_URI": mongo,
        "MONGO_READ_URI": f"{mongo}?readPreference=secondaryPreferred",
        "REDIS_URL": redis_url(caller, ports, secrets),
        "S3_ENDPOINT": s3,
        "S3_PUBLIC_ENDPOINT": s3,
        "S3_BUCKET": BUCKET,
        "AWS_ACCESS_KEY_ID": secrets["s3_access_key"],
        "AWS_SECRET_ACCESS_KEY": secrets["s3_secret_key"],
        "INTERNAL_GATEWAY_URL": f"http://{HOST}:{ports['gateway-internal']}",
        "PYTHONUNBUFFERED": "1",
    }


def is_cluster(caller: Mapping[str, str]) -> bool:
    """Whether Redis is a Cluster: `REDIS=cluster`."""
    return caller.get("REDIS") == "cluster"


def redis_url(caller: Mapping[str, str], ports: Mapping[str, int], secrets: Mapping[str, str]) -> str:
    """Of the one server, or of all masters of the Cluster."""
    if not is_cluster(caller):
        return f"redis://:{secrets['redis']}@{HOST}:{ports['valkey']}/0"
    hosts = ",".join(f"{HOST}:{ports[name]}" for name in ("valkey", "valkey-2", "valkey-3"))
    return f"redis://:{secrets['redis']}@{hosts}"


def letters(caller: Mapping[str, str], ports: Mapping[str, int]) -> Settings:
    """Where letters go, and where the links in them lead."""
    return {
        "SMTP_URL": caller.get("SMTP_URL") or f"smtp://{HOST}:{ports['mail']}",
        "APP_URL": caller.get("APP_URL") or gateway_url(caller, ports),
    }


def auth_only(secrets: Mapping[str, str]) -> Settings:
    clients = {name: secrets[name] for name in (*SERVICES, OPERATOR)}
    return {"KEY_ENCRYPTION_KEY": secrets["key_encryption_key"], "SERVICE_CLIENTS": json.dumps(clients)}


def signing(secrets: Mapping[str, str]) -> Settings:
    return {"RECORD_SIGNING_KEY": secrets["record_signing_key"]}


def llm(caller: Mapping[str, str], ports: Mapping[str, int]) -> Settings:
    """The LLM to ask: the caller's when there is a key, else the offline one."""
    given = {name: caller[name] for name in LLM if caller.get(name)}
    if "OPENAI_API_KEY" in given:
        return given
    return {**given, "OPENAI_API_KEY": "offline", "OPENAI_BASE_URL": f"http://{HOST}:{ports['offline-llm']}/v1"}


def service(name: str, caller: Mapping[str, str], ports: Mapping[str, int], secrets: Mapping[str, str]) -> Settings:
    """All settings of one service's processes; anything else that the caller set passes through."""
    inherited = {key: value for key, value in caller.items() if key not in LLM}
    own: Settings = {
        "MONGO_DATABASE": f"intervai_{name.removesuffix('-service')}",
        "SERVICE_CLIENT_ID": name,
        "SERVICE_CLIENT_SECRET": secrets[name],
    }
    if name == "auth-service":
        own |= {**auth_only(secrets), **letters(caller, ports)}
    if name in {"user-service", "export-service"}:
        own |= signing(secrets)
    if name == "qa-service":
        own |= llm(caller, ports)
    return {**inherited, **shared(caller, ports, secrets), **own}


def suite(caller: Mapping[str, str], ports: Mapping[str, int], secrets: Mapping[str, str]) -> Settings:
    """What `exec` gives its command: every address and secret of the suite."""
    own = {"GATEWAY_PORT": str(ports["gateway"]), "GATEWAY_URL": gateway_url(caller, ports)}
    private = {**auth_only(secrets), **letters(caller, ports), **signing(secrets), **llm(caller, ports)}
    return {**caller, **shared(caller, ports, secrets), **private, **own}


def caller() -> Settings:
    return dict(os.environ)
