"""The blueprints are what tiers.yaml says, are such as Render takes, and give each process what it must have."""

import base64
import copy
import functools
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from auth_service.settings import AuthSettings
from export_service.settings import ExportSettings
from intervai_capacity import blueprints, variables
from intervai_capacity.tiers import REPOSITORY, SERVICES, Tiers, load_tiers
from intervai_shared.settings import ProcessSettings, ServiceSettings
from qa_service.settings import QaSettings
from user_service.settings import UserSettings

SCHEMA = json.loads(Path(__file__).with_name("render-blueprint.schema.json").read_text())
SETTINGS: dict[str, type[ServiceSettings]] = {
    "auth": AuthSettings,
    "user": UserSettings,
    "qa": QaSettings,
    "export": ExportSettings,
}
NAMES = ("tier-1", "tier-2", "tier-3", "tier-4")
Document = dict[str, Any]


@functools.cache
def committed(name: str) -> Document:
    loaded: Document = yaml.safe_load((blueprints.FOLDER / name / "render.yaml").read_text())
    return loaded


@pytest.fixture(params=NAMES)
def document(request: pytest.FixtureRequest) -> Document:
    return committed(request.param)


def by_name(document: Document) -> dict[str, Document]:
    return {service["name"]: service for service in document["services"]}


def test_the_files_are_what_is_written_from_tiers_yaml() -> None:
    tiers = load_tiers()
    stale = [file for file, text in (*blueprints.files(tiers), *variables.files(tiers)) if file.read_text() != text]
    assert stale == [], "run `make blueprints`"


def test_render_would_take_them(document: Document) -> None:
    Draft202012Validator(SCHEMA).validate(document)


@pytest.mark.parametrize(
    ("name", "part", "value"),
    [
        ("qa-service", "type", "private"),
        ("qa-service", "plan", "1gb"),
        ("qa-service", "healthCheckPath", "/health/ready"),
        ("qa-service", "numInstances", 2),
        ("qa-worker", "numInstances", 0),
        ("qa-worker", "maxShutdownDelaySeconds", 301),
        ("qa-worker", "envVars", [{"key": "A", "value": "b", "sync": False}]),
        ("redis", "ipAllowList", None),
        ("gateway", "colour", "blue"),
    ],
)
def test_the_schema_refuses(name: str, part: str, value: Any) -> None:
    document = copy.deepcopy(committed("tier-2"))
    by_name(document)[name][part] = value
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(document)


def test_only_the_gateway_is_public(document: Document) -> None:
    kinds = {name: service["type"] for name, service in by_name(document).items()}
    assert [name for name, kind in kinds.items() if kind == "web"] == ["gateway"]
    assert {kinds[service] for service in SERVICES} == {"pserv"}
    assert all(kind == "worker" for name, kind in kinds.items() if name.endswith("-worker"))
    assert by_name(document).get("redis", {"ipAllowList": []})["ipAllowList"] == []


def test_instances_and_plans_are_the_tiers(tiers: Tiers) -> None:
    for tier in tiers.tiers:
        services = by_name(blueprints.blueprint(tiers, tier))
        for service in SERVICES:
            worker = services[service.replace("-service", "-worker")]
            assert worker["numInstances"] == tier.worker.instances
            assert services[service]["plan"] == worker["plan"] == tiers.bought(tier.api.plan)[0]
    services = by_name(blueprints.blueprint(tiers, tiers.by_name["tier-1"]))
    assert services["qa-service"]["numInstances"] == 1
    assert services["redis"]["plan"] == "free"
    services = by_name(blueprints.blueprint(tiers, tiers.by_name["tier-3"]))
    scaling = {"minInstances": 2, "maxInstances": 10, "targetCPUPercent": 70, "targetMemoryPercent": 80}
    assert services["qa-service"]["scaling"] == scaling


def test_what_is_referred_to_is_there(document: Document) -> None:
    services, groups = by_name(document), {group["name"] for group in document["envVarGroups"]}
    for service in services.values():
        assert (REPOSITORY / service.get("dockerfilePath", "./")).exists()
        for variable in service.get("envVars", ()):
            if "fromGroup" in variable:
                assert variable["fromGroup"] in groups
            elif "fromService" in variable:
                source = variable["fromService"]
                assert services[source["name"]]["type"] == source["type"]
                own = {each.get("key"): each for each in services[source["name"]].get("envVars", ())}
                assert "envVarKey" not in source or {"sync", "generateValue"} & own[source["envVarKey"]].keys()


def environment(document: Document, service: Document) -> dict[str, str]:
    """What a process gets, after its start command; every secret as Render would make it."""
    groups = {group["name"]: group["envVars"] for group in document["envVarGroups"]}
    given = [*service["envVars"]]
    for variable in service["envVars"]:
        given += groups.get(variable.get("fromGroup"), ())
    made = base64.b64encode(b"\xfb\xff" * 16).decode()  # with + and /
    values = {each["key"]: each.get("value", made) for each in given if "key" in each}
    command = service.get("dockerCommand", "")
    if command.startswith("/bin/sh"):
        shell, option, script = shlex.split(command)
        script = script.replace("exec python -m", "env -0 #")
        run = [shell, option, script]
        told = subprocess.run(run, env=values | {"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
        values = dict(line.split("=", 1) for line in told.stdout.split("\0") if line)
    return values


def test_every_process_has_the_settings_that_it_must_have(document: Document) -> None:
    for name, service in by_name(document).items():
        stem, _, kind = name.partition("-")
        if kind not in {"service", "worker"}:
            continue
        values = environment(document, service)
        required = {key.upper() for key, field in SETTINGS[stem].model_fields.items() if field.is_required()}
        assert required - values.keys() == set(), name
        assert values["INTERNAL_GATEWAY_URL"].startswith("http://")
        assert {"AWS_ACCESS_KEY_ID", "S3_BUCKET"} <= values.keys() or stem == "auth"
    required = {key.upper() for key, field in ProcessSettings.model_fields.items() if field.is_required()} - {"SERVICE"}
    assert required <= environment(document, by_name(document)["scheduler"]).keys()


def test_the_secrets_that_render_makes_are_taken(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients' secrets come together as JSON; 32 bytes may be standard base64."""
    values = environment(document, by_name(document)["auth-service"])
    values |= {"REDIS_URL": "redis://redis:6379", "SMTP_URL": "smtp://mail:25", "MAIL_FROM": "a@example.com"}
    values |= {"APP_URL": "https://app.example.com", "API_URL": "https://api.example.com"}
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    settings = AuthSettings()
    assert set(settings.service_clients) == set(SERVICES)
    assert all(
        secret.get_secret_value() == values["SERVICE_CLIENT_SECRET"] for secret in settings.service_clients.values()
    )


def test_no_secret_stands_in_a_file(document: Document) -> None:
    given = [each for service in document["services"] for each in service.get("envVars", ())]
    given += [each for group in document["envVarGroups"] for each in group["envVars"]]
    secret = ("SECRET", "KEY", "PASSWORD", "_URI", "REDIS_URL", "SMTP_URL")
    assert [each["key"] for each in given if "value" in each and any(part in each["key"] for part in secret)] == []


def test_a_cluster_is_not_renders(tiers: Tiers) -> None:
    services = by_name(blueprints.blueprint(tiers, tiers.by_name["tier-4"]))
    assert "redis" not in services
    assert {"key": "REDIS_URL", "sync": False} in services["auth-service"]["envVars"]
    assert {"key": "MONGO_READ_URI", "sync": False} in services["qa-service"]["envVars"]
