"""The environment of each process on Render.

A secret is asked for once (`sync: false`) or made once (`generateValue`), by the API of the service that it belongs to;
who needs it too takes it from there. Groups can hold neither what is asked for nor what another service has.
"""

from typing import Any

from intervai_capacity.tiers import SERVICES, Tier

Variable = dict[str, Any]
Variables = list[Variable]

GATEWAY = "gateway"
#: 10000, which Render sets, is not open on its private network.
PORT = 8000
#: Where Render's own proxies reach us from.
PROXIES = "10.0.0.0/8"
GROUPS: list[dict[str, Any]] = [
    {
        "name": "intervai",
        "envVars": [
            {"key": "ENVIRONMENT", "value": "production"},
            {"key": "LOG_LEVEL", "value": "INFO"},
            {"key": "DRAIN_SECONDS", "value": "5"},
            {"key": "JOB_FINISH_SECONDS", "value": "120"},
            {"key": "RATE_LIMIT_SCALE", "value": "1"},
            {"key": "TRUSTED_PROXIES", "value": PROXIES},
            {"key": "HOST", "value": "0.0.0.0"},  # noqa: S104  only Render's private network gets there
            {"key": "PORT", "value": str(PORT)},
        ],
    },
    {"name": "intervai-records", "envVars": [{"key": "RECORD_SIGNING_KEY", "generateValue": True}]},
]
STORAGE = ("S3_BUCKET", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
#: What only this service needs, and the world must say.
ASKED = {
    "auth-service": ("SMTP_URL", "MAIL_FROM", "APP_URL", "API_URL"),
    "user-service": STORAGE,
    "qa-service": ("OPENAI_API_KEY",),
    "export-service": (),
}
#: Whose records are signed.
SIGNING = ("user-service", "export-service")


def of_api(tier: Tier, service: str) -> Variables:
    """The variables of a service's API."""
    variables = [{"fromGroup": "intervai"}, _host("GATEWAY_HOST", "web", GATEWAY)]
    variables += [{"key": "SERVICE_CLIENT_ID", "value": service}]
    variables += [{"key": "SERVICE_CLIENT_SECRET", "generateValue": True}, _asked("MONGO_URI")]
    if tier.mongo.read_replicas:
        variables.append(_asked("MONGO_READ_URI"))
    variables += _redis(tier, service)
    variables += [_asked(name) for name in ASKED[service]]
    if service in {"qa-service", "export-service"}:
        variables += [_taken(name, "user-service") for name in STORAGE]
    if service in SIGNING:
        variables.append({"fromGroup": "intervai-records"})
    if service == "auth-service":
        variables.append({"key": "KEY_ENCRYPTION_KEY", "generateValue": True})
        variables += _client_secrets()
    return variables


def of_worker(tier: Tier, service: str) -> Variables:
    """As its API has them: what is asked or made there is taken from there."""
    return [
        _taken(each["key"], service) if "sync" in each or "generateValue" in each else each
        for each in of_api(tier, service)
    ]


def of_scheduler(tier: Tier) -> Variables:
    """It needs Redis only."""
    return [{"fromGroup": "intervai"}, *_redis(tier, "scheduler")]


def gateway_variables() -> Variables:
    """Where the services are, whom to believe who the client is, and which web pages may ask."""
    return [
        {"key": "PORT", "value": "8080"},
        {"key": "RATE_LIMIT_SCALE", "value": "1"},
        {"key": "TRUSTED_PROXIES", "value": PROXIES},
        _asked("CORS_ORIGINS"),
        {"key": "SERVICE_PORT", "value": str(PORT)},
        *(_host(f"{service.upper().replace('-', '_')}_HOST", "pserv", service) for service in SERVICES),
    ]


def _redis(tier: Tier, service: str) -> Variables:
    """One server is Render's own. A Cluster is somebody else's: its address is asked for once, at auth-service."""
    if tier.redis.topology == "single":
        return [{"key": "REDIS_URL", "fromService": _of("keyvalue", "redis", property="connectionString")}]
    return [_asked("REDIS_URL") if service == "auth-service" else _taken("REDIS_URL", "auth-service")]


def _client_secrets() -> Variables:
    """Of all services, for SERVICE_CLIENTS, which the start command puts together."""
    return [
        {
            "key": f"{service.removesuffix('-service').upper()}_CLIENT_SECRET",
            "fromService": _of("pserv", service, envVarKey="SERVICE_CLIENT_SECRET"),
        }
        for service in SERVICES
    ]


def _asked(key: str) -> Variable:
    return {"key": key, "sync": False}


def _taken(key: str, service: str) -> Variable:
    return {"key": key, "fromService": _of("pserv", service, envVarKey=key)}


def _host(key: str, kind: str, name: str) -> Variable:
    return {"key": key, "fromService": _of(kind, name, property="host")}


def _of(kind: str, name: str, **what: str) -> dict[str, str]:
    return {"type": kind, "name": name, **what}
