"""Starts the real parts under circus, without the services, and sees them work, restart, stop and come back."""

import os
import signal
import smtplib
import socket
import sys
import time
from collections.abc import Callable

import boto3
import httpx
import psutil
import pymongo
import pytest
import valkey
from botocore.config import Config
from rich.console import Console

from intervai_local import environment, execute, parts, roll, scaling
from intervai_local.lifecycle import Suite
from intervai_local.state import SERVICES, State, SuiteError, free_port
from intervai_local.supervisor import processes_of
from intervai_shared.testing import redis_at


def settings(suite: Suite) -> dict[str, str]:
    plan = suite.plan()
    return environment.suite(plan.caller, plan.ports, plan.secrets)


def bucket(found: dict[str, str]) -> "boto3.client":
    return boto3.client(
        "s3",
        endpoint_url=found["S3_ENDPOINT"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        region_name=found["AWS_REGION"],
        config=Config(request_checksum_calculation="when_required"),
    )


def store(found: dict[str, str]) -> None:
    client = pymongo.MongoClient(found["MONGO_URI"])
    with client, client.start_session() as session, session.start_transaction():
        client.test.kept.insert_one({"_id": 1}, session=session)
    redis_at(found["REDIS_URL"]).set("kept", "1")
    bucket(found).put_object(Bucket=environment.BUCKET, Key="kept.txt", Body=b"1")
    with smtplib.SMTP(found["SMTP_URL"].removeprefix("smtp://")) as smtp:
        smtp.sendmail("a@example.com", ["b@example.com"], "Subject: hello\r\n\r\ntext\r\n")


def assert_kept(found: dict[str, str]) -> None:
    with pymongo.MongoClient(found["MONGO_URI"]) as client:
        assert client.test.kept.count_documents({}) == 1
    assert redis_at(found["REDIS_URL"]).get("kept") == b"1"
    assert bucket(found).get_object(Bucket=environment.BUCKET, Key="kept.txt")["Body"].read() == b"1"


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def assert_private(suite: Suite, found: dict[str, str], gateway_port: int) -> None:
    """Nobody gets in without the secrets, no port is open to the network, no command line shows a secret."""
    with pytest.raises(valkey.exceptions.AuthenticationError):
        valkey.Valkey(port=suite.plan().ports["valkey"]).ping()
    assert httpx.get(f"{found['S3_ENDPOINT']}/{environment.BUCKET}/kept.txt").status_code == 403
    assert httpx.get(f"http://127.0.0.1:{gateway_port}/internal/x").status_code == 404
    assert httpx.get(f"{found['INTERNAL_GATEWAY_URL']}/ping").status_code == 200
    secrets = suite.state.secrets().values()
    for process in [member for group in processes_of(suite.state).values() for member in group]:
        assert not [secret for secret in secrets if secret in " ".join(process.cmdline())]
        listening = [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert set(listening) <= {"127.0.0.1"}, process


@pytest.mark.timeout(120)
def test_parts_start_work_restart_and_keep_their_data(suite: Suite) -> None:
    port = free_port()
    suite.up(port)
    found = settings(suite)
    store(found)
    assert_kept(found)
    assert_private(suite, found, port)
    assert [letter.read_text() for letter in suite.state.mail.glob("*.eml")] == ["Subject: hello\n\ntext\n"]
    with pytest.raises(SuiteError, match="already runs"):
        suite.up(port)

    # Found by its mark, or `down` could not stop it once circus is gone.
    assert processes_of(suite.state).keys() >= suite.supervisor.pids().keys()
    first = suite.supervisor.pids()["valkey"]
    os.kill(first[-1], signal.SIGKILL)
    wait_for(lambda: len(suite.supervisor.pids()["valkey"]) == 2)
    wait_for(lambda: all(process.ready() for process in parts.parts(suite.plan())))
    assert_kept(found)

    assert suite.down()
    assert processes_of(suite.state) == {}
    assert not suite.down()

    suite.up(port)
    assert settings(suite) == found
    assert_kept(found)
    left = [pids[-1] for pids in suite.supervisor.pids().values()]
    os.kill(int(suite.state.circus_pid.read_text()), signal.SIGKILL)
    wait_for(lambda: not suite.supervisor.is_running())
    assert suite.down()
    assert processes_of(suite.state) == {}
    assert [pid for pid in left if psutil.pid_exists(pid)] == []


def test_a_taken_gateway_port_stops_the_start_before_anything_runs(suite: Suite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SuiteError, match=rf"port {port} is in use by .*pid {os.getpid()}.*GATEWAY_PORT"):
            suite.up(port)
    assert processes_of(suite.state) == {}


def test_a_part_that_ends_stops_the_start_and_its_log_is_shown(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        parts, "parts", lambda plan: [parts.Process("broken", ("/bin/sh", "-c", "echo no disk"), {}, lambda: False)]
    )
    with pytest.raises(SuiteError, match=r"broken ended while it was starting; the end of its log:\n  broken +no disk"):
        suite.up(free_port())
    assert processes_of(suite.state) == {}


def test_scale_says_what_it_can_scale(suite: Suite) -> None:
    with pytest.raises(SuiteError, match=r"qa-service.*qa-worker"):
        scaling.scale(suite, "quiz-service", 2)
    with pytest.raises(SuiteError, match="no suite runs"):
        scaling.scale(suite, SERVICES[0], 2)


def test_roll_says_what_it_can_roll(suite: Suite) -> None:
    with pytest.raises(SuiteError, match=r"no such service: quiz-service, mongo; usage: .*qa-service.*qa-worker"):
        roll.roll(suite, ["quiz-service", "qa-worker", "mongo"])
    with pytest.raises(SuiteError, match="no suite runs"):
        roll.roll(suite)


@pytest.mark.timeout(120)
def test_a_command_gets_the_settings_of_the_running_suite_or_of_one_service(
    suite: Suite, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show = ["--", sys.executable, "-c", "import os; print(os.environ.get('MONGO_DATABASE'), os.environ['MONGO_URI'])"]
    with pytest.raises(SuiteError, match="no suite runs"):
        execute.beside_running_suite(show, suite, None)
    suite.up(free_port())
    address = settings(suite)["MONGO_URI"]
    capfd.readouterr()
    assert execute.beside_running_suite(show, suite, "qa-service") == 0
    assert capfd.readouterr().out == f"intervai_qa {address}\n"
    assert execute.beside_running_suite(show, suite, None) == 0
    assert capfd.readouterr().out == f"None {address}\n"
    assert execute.beside_running_suite(["--", "sh", "-c", "exit 3"], suite, None) == 3
    # What it is told itself, and what the suite has been told only there.
    monkeypatch.setenv("RATE", "7")
    monkeypatch.setenv("MONGO_URI", "mongodb://elsewhere.invalid")
    assert execute.beside_running_suite(["--", "sh", "-c", 'echo "$RATE $MONGO_URI"'], suite, None) == 0
    assert capfd.readouterr().out == f"7 {address}\n"


@pytest.mark.timeout(180)
def test_a_paused_suite_has_its_parts_and_no_services_and_goes_on_afterwards(
    state: State, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    counts = {kind: int(kind in {"auth-service", "user-worker"}) for kind in parts.COUNTS}
    monkeypatch.setattr(parts, "COUNTS", counts)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-asked")
    suite = Suite(state, Console(stderr=True))
    try:
        suite.up(free_port())
        assert living(suite) == {"auth-service-1", "user-worker-1"}
        with suite.paused():
            assert living(suite) == set()
            assert all(process.ready() for process in parts.parts(suite.plan()))
        assert living(suite) == {"auth-service-1", "user-worker-1"}
        assert all(process.ready() for process in parts.services(suite.plan()))
    finally:
        suite.down()


def living(suite: Suite) -> set[str]:
    """The services and workers that have a process."""
    return {name for name in processes_of(suite.state) if "-service-" in name or "-worker-" in name}
