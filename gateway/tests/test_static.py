"""What static.sh makes of settings: the static configuration of containers and of the local runner."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

GATEWAY = Path(__file__).parents[1]


def run(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **settings}
    return subprocess.run(["sh", GATEWAY / "static.sh"], env=environment, capture_output=True, text=True, check=False)


def configuration(**settings: str) -> Any:
    done = run(**settings)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def test_without_settings_it_is_the_file() -> None:
    assert configuration() == yaml.safe_load((GATEWAY / "traefik.yml").read_text())
    assert configuration(GATEWAY_TLS="", TRUSTED_PROXIES="", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="") == configuration()


def test_both_public_entry_points_are_alike() -> None:
    points = configuration(TRUSTED_PROXIES="10.0.0.0/8,fd00::/8")["entryPoints"]
    web, websecure = points["web"], points["websecure"]
    assert web["forwardedHeaders"]["trustedIPs"] == ["10.0.0.0/8", "fd00::/8"]
    assert websecure["http"].pop("tls") == {}
    for point in (web, websecure):
        del point["address"]
    assert web == websecure
    assert "forwardedHeaders" not in points["internal"]


@pytest.mark.parametrize(
    ("challenge", "key"), [("", "httpChallenge"), ("http", "httpChallenge"), ("tls", "tlsChallenge")]
)
def test_acme_by_settings(challenge: str, key: str) -> None:
    made = configuration(
        GATEWAY_TLS="acme",
        ACME_DOMAINS="api.example.com,www.example.com",
        ACME_EMAIL="ops@example.com",
        ACME_CA_SERVER="https://ca.example/directory",
        ACME_CHALLENGE=challenge,
    )
    tls = made["entryPoints"]["websecure"]["http"]["tls"]
    assert tls == {"certResolver": "acme", "domains": [{"main": "api.example.com", "sans": ["www.example.com"]}]}
    acme = made["certificatesResolvers"]["acme"]["acme"]
    assert (acme["email"], acme["caServer"]) == ("ops@example.com", "https://ca.example/directory")
    assert acme["storage"] == "/acme/acme.json"
    assert key in acme


def test_containers_can_put_discovery_into_it() -> None:
    """As the command of docker-compose.yml's traefik does with sed."""
    printed = run(GATEWAY_TLS="acme", ACME_DOMAINS="api.example.com", ACME_EMAIL="ops@example.com").stdout
    fragment = (GATEWAY.parent / "deploy/compose/docker-provider.yml").read_text()
    made = yaml.safe_load(printed.replace("\nproviders:\n", f"\nproviders:\n{fragment}", 1))
    assert {"file", "docker"} <= made["providers"].keys()
    command = yaml.safe_load((GATEWAY.parent / "docker-compose.yml").read_text())["services"]["traefik"]["command"][0]
    assert "sh /etc/traefik/static.sh > /tmp/static.yml" in command


def test_tracing_by_settings() -> None:
    made = configuration(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://collector:4318/v1/traces")["tracing"]
    assert made["otlp"] == {"http": {"endpoint": "http://collector:4318/v1/traces"}}
    assert made["sampleRate"] == 0.1


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"GATEWAY_TLS": "yes"}, "GATEWAY_TLS must be off, self-made or acme"),
        (
            {"GATEWAY_TLS": "acme", "ACME_DOMAINS": "api.example.com"},
            "ACME_EMAIL must be set where GATEWAY_TLS is acme",
        ),
        (
            {"GATEWAY_TLS": "acme", "ACME_DOMAINS": "a", "ACME_EMAIL": "b", "ACME_CHALLENGE": "dns"},
            "ACME_CHALLENGE must",
        ),
        ({"TRUSTED_PROXIES": '10.0.0.0/8"]\nlog: {}'}, "TRUSTED_PROXIES holds what does not belong there"),
        ({"OTEL_TRACES_SAMPLER_ARG": "a lot"}, "OTEL_TRACES_SAMPLER_ARG holds what does not belong there"),
    ],
)
def test_a_setting_that_is_not_usable_stops_the_start(settings: dict[str, str], complaint: str) -> None:
    done = run(**settings)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert "entryPoints" not in done.stdout
