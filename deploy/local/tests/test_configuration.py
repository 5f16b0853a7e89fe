"""What the runner writes: environments, circus's configuration, Traefik's server lists."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from circus.config import get_config

from intervai_local import circus_config, environment, gateway_config, parts
from intervai_local.parts import Plan
from intervai_local.state import OPERATOR, SERVICES, State, SuiteError

MakePlan = Callable[..., Plan]


def settings(plan: Plan, service: str) -> dict[str, str]:
    return environment.service(service, plan.caller, plan.ports, plan.secrets)


def test_a_services_environment_names_its_own_parts(plan: Plan) -> None:
    found = settings(plan, "export-service")
    assert found["MONGO_URI"] == f"mongodb://127.0.0.1:{plan.ports['mongo']}/"
    assert found["MONGO_DATABASE"] == "intervai_export"
    assert found["SERVICE_CLIENT_ID"] == "export-service"
    assert found["SERVICE_CLIENT_SECRET"] == plan.secrets["export-service"]
    assert found["EXPORT_URL_TTL_SECONDS"] == "7"


def test_the_caller_chooses_limits_but_not_databases(make_plan: MakePlan) -> None:
    plan = make_plan(RATE_LIMIT_SCALE="0", MONGO_URI="mongodb://elsewhere/", DRAIN_SECONDS="")
    found = settings(plan, "user-service")
    assert found["RATE_LIMIT_SCALE"] == "0"
    assert "elsewhere" not in found["MONGO_URI"]
    assert found["DRAIN_SECONDS"] == environment.DEFAULTS["DRAIN_SECONDS"]


def test_secrets_go_only_to_the_service_that_needs_them(plan: Plan) -> None:
    holders = {key: {name for name in SERVICES if key in settings(plan, name)} for key in
               ("KEY_ENCRYPTION_KEY", "RECORD_SIGNING_KEY", "SERVICE_CLIENTS", "OPENAI_API_KEY")}  # fmt: skip
    assert holders == {
        "KEY_ENCRYPTION_KEY": {"auth-service"},
        "RECORD_SIGNING_KEY": {"user-service", "export-service"},
        "SERVICE_CLIENTS": {"auth-service"},
        "OPENAI_API_KEY": {"qa-service"},
    }
    clients = json.loads(settings(plan, "auth-service")["SERVICE_CLIENTS"])
    assert clients == {name: plan.secrets[name] for name in (*SERVICES, OPERATOR)}


def test_without_a_key_the_offline_model_runs_and_is_asked(make_plan: MakePlan) -> None:
    offline = make_plan(OPENAI_API_KEY=None)
    assert "offline-llm" in [process.name for process in parts.parts(offline)]
    assert settings(offline, "qa-service")["OPENAI_BASE_URL"] == f"http://127.0.0.1:{offline.ports['offline-llm']}/v1"
    online = make_plan()
    assert "offline-llm" not in [process.name for process in parts.parts(online)]
    assert settings(online, "qa-service")["OPENAI_API_KEY"] == "sk-caller"


def write(plan: Plan) -> dict[str, dict[str, object]]:
    """Write circus.ini and read it with circus's own reader."""
    circus_config.write(plan.state, [*parts.parts(plan), *parts.services(plan)], dict(plan.ports))
    return {watcher["name"]: watcher for watcher in get_config(str(plan.state.circus_config))["watchers"]}


def test_circus_reads_one_watcher_an_instance(plan: Plan) -> None:
    watchers = write(plan)
    assert {"mongo", "valkey", "s3", "traefik", "mail", "qa-service-1", "qa-worker-1"} <= watchers.keys()
    assert watchers["qa-service-1"]["graceful_timeout"] == 27
    assert watchers["qa-service-1"]["singleton"]
    assert watchers["qa-service-1"]["respawn"]


def test_scaling_changes_no_other_watcher(make_plan: MakePlan, state: State) -> None:
    before = write(make_plan())
    ports = state.read("ports.json")
    after = write(make_plan({"qa-service": 3}))
    assert after.keys() - before.keys() == {"qa-service-2", "qa-service-3"}
    assert {name: after[name] for name in before} == before
    assert {name: state.read("ports.json")[name] for name in ports} == ports


def test_newer_code_changes_no_watcher_that_runs(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write(plan)
    monkeypatch.setattr(parts, "STOP_SECONDS", 99)
    processes = [*parts.parts(plan), *parts.services(plan)]
    running = [process.name for process in processes if process.name != "qa-worker-1"]
    circus_config.write(plan.state, processes, dict(plan.ports), running)
    after = {watcher["name"]: watcher for watcher in get_config(str(plan.state.circus_config))["watchers"]}
    assert after["qa-worker-1"]["graceful_timeout"] == 101
    assert {name: after[name] for name in running} == {name: before[name] for name in running}


def test_no_secret_in_circus_ini_or_on_a_command_line(plan: Plan) -> None:
    write(plan)
    ini = plan.state.circus_config.read_text()
    commands = " ".join(word for process in [*parts.parts(plan), *parts.services(plan)] for word in process.command)
    for secret in [*plan.secrets.values(), "sk-caller"]:
        assert secret not in ini
        assert secret not in commands
    for file in plan.state.processes.iterdir():
        assert file.stat().st_mode & 0o077 == 0


def test_launch_passes_any_environment_and_joins_the_streams(tmp_path: Path) -> None:
    values = {"ODD": "two\nlines; $HOME %(x)s ((circus.env.x)) 'q\"", "PATH": os.environ["PATH"]}
    script = "import json,os,sys; print(json.dumps(dict(os.environ)), flush=True); print('to stderr', file=sys.stderr)"
    file = tmp_path / "process.json"
    file.write_text(
        json.dumps({"command": [sys.executable, "-c", script], "directory": str(tmp_path), "environment": values})
    )
    done = subprocess.run(
        [sys.executable, "-I", str(circus_config.LAUNCH), str(file)], env={}, capture_output=True, text=True, check=True
    )
    printed, complaint = done.stdout.splitlines()
    assert json.loads(printed)["ODD"] == values["ODD"]
    assert complaint == "to stderr"
    assert done.stderr == ""


def test_server_lists_follow_the_counts_and_are_not_rewritten_in_vain(plan: Plan) -> None:
    file = plan.state.gateway / "dynamic" / "services.yml"
    gateway_config.write_services(plan.state, plan.counts, plan.ports)
    written = file.stat().st_ino
    gateway_config.write_services(plan.state, plan.counts, plan.ports)
    assert file.stat().st_ino == written
    more = {**plan.counts, "qa-service": 2}
    gateway_config.write_services(plan.state, more, {**plan.ports, "qa-service-2": 21000})
    balancer = yaml.safe_load(file.read_text())["http"]["services"]["qa-service-ready"]["loadBalancer"]
    assert [server["url"] for server in balancer["servers"]][1] == "http://127.0.0.1:21000"
    assert balancer["strategy"] == "p2c"
    assert balancer["healthCheck"]["path"] == "/health/ready"


@pytest.mark.parametrize(
    ("tls", "points"), [("off", {"web", "internal"}), ("self-made", {"web", "websecure", "internal"})]
)
def test_routers_name_only_entry_points_that_there_are(plan: Plan, tls: str, points: set[str]) -> None:
    settings = environment.gateway({"GATEWAY_TLS": tls, "GATEWAY_TLS_PORT": "21443"})
    gateway_config.write_static(plan.state, "127.0.0.1", 21080, 21081, settings)
    static = yaml.safe_load((plan.state.gateway / "traefik.yml").read_text())
    assert static["entryPoints"].keys() == points
    routers = yaml.safe_load((plan.state.gateway / "dynamic" / "routers.yml").read_text())["http"]["routers"]
    assert set().union(*(router["entryPoints"] for router in routers.values())) == points
    assert (plan.state.gateway / "dynamic" / "certificate.yml").exists() == (tls == "self-made")
    assert (plan.state.root / "tls" / "key.pem").exists() == (tls == "self-made")


def test_clients_are_sent_to_where_the_gateway_answers(make_plan: MakePlan) -> None:
    plan = make_plan(GATEWAY_TLS="self-made", GATEWAY_TLS_PORT="21443")
    assert environment.suite(plan.caller, plan.ports, plan.secrets)["GATEWAY_URL"] == "https://127.0.0.1:21443"
    assert settings(plan, "auth-service")["APP_URL"] == "https://127.0.0.1:21443"
    assert settings(make_plan(), "auth-service")["APP_URL"] == f"http://127.0.0.1:{make_plan().ports['gateway']}"


def test_settings_of_the_gateway_that_are_not_usable_are_told(plan: Plan) -> None:
    with pytest.raises(SuiteError, match=r"^GATEWAY_TLS must be off or self-made on this machine, not 'acme'$"):
        environment.check({"GATEWAY_TLS": "acme"})
    with pytest.raises(SuiteError, match=r"^TRUSTED_PROXIES holds what does not belong there"):
        gateway_config.write_static(plan.state, "127.0.0.1", 1, 2, {"TRUSTED_PROXIES": "10.0.0.0/8; rm"})


def test_a_long_folder_gets_ports_instead_of_sockets(tmp_path: Path) -> None:
    assert circus_config.endpoint(State(Path("/s")), 20001).startswith("ipc://")
    assert circus_config.endpoint(State(tmp_path / ("x" * 120)), 20001) == "tcp://127.0.0.1:20001"


@pytest.mark.parametrize("name", ["RATE_LIMIT_SCALE", "DRAIN_SECONDS", "GATEWAY_PORT"])
def test_a_number_that_is_none_is_told_in_one_line(name: str) -> None:
    with pytest.raises(SuiteError, match=rf"^{name} must be a number that is not negative, not 'fast'$"):
        environment.check({name: "fast"})
    environment.check({name: "8"})
    environment.check({name: ""})
