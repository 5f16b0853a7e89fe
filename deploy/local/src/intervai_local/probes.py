"""Readiness checks. Each returns at once or within a second, and says False instead of raising."""

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import httpx
import pymongo
import valkey as valkey_client
from pymongo.errors import OperationFailure, PyMongoError
from valkey.exceptions import ValkeyError

from intervai_local.state import HOST

TIMEOUT = 1.0  # seconds
# One client for all: making one costs 30 ms of CPU for its certificates, and these calls are plain HTTP.
CLIENT = httpx.Client(verify=False, trust_env=False, timeout=TIMEOUT)  # noqa: S501
# After a restart the S3 server lists buckets a moment before it finds the objects in them.
SENTINEL = {"Bucket": "intervai-runner", "Key": "ready"}
SLOTS = 16_384  # of a Redis Cluster
NOT_YET_INITIALIZED = 94  # MongoDB's error code of a replica set that nobody initiated

Probe = Callable[[], bool]


def tcp(port: int) -> Probe:
    def check() -> bool:
        try:
            with socket.create_connection((HOST, port), TIMEOUT):
                return True
        except OSError:
            return False

    return check


def http(port: int, path: str) -> Probe:
    """Ready when the path answers 200."""

    def check() -> bool:
        try:
            return CLIENT.get(f"http://{HOST}:{port}{path}").status_code == 200
        except httpx.HTTPError:
            return False

    return check


def gateway_knows(internal_port: int, urls: Collection[str]) -> Probe:
    """Ready when Traefik has loaded these servers and found each healthy, by its own metrics."""

    def check() -> bool:
        try:
            metrics = CLIENT.get(f"http://{HOST}:{internal_port}/metrics").text
        except httpx.HTTPError:
            return False
        return all(f'url="{url}"}} 1' in metrics for url in urls)

    return check


def mongo(port: int) -> Probe:
    """Ready when it is a primary; initiates the replica set of a new mongod."""
    listens = tcp(port)

    def check() -> bool:
        if not listens():
            return False
        milliseconds = int(TIMEOUT * 1000)
        try:
            with pymongo.MongoClient[dict[str, object]](
                HOST, port, directConnection=True, serverSelectionTimeoutMS=milliseconds, socketTimeoutMS=milliseconds
            ) as client:
                hello = client.admin.command("hello")
                if not hello.get("setName"):
                    initiate(client, port)
                return bool(hello.get("isWritablePrimary"))
        except PyMongoError:
            return False

    return check


def mongo_reads(port: int, seconds: float) -> Probe:
    """True when it looks for a document within that time. What stands still may yet say that it is a primary."""

    def check() -> bool:
        milliseconds = int(seconds * 1000)
        try:
            with pymongo.MongoClient[dict[str, object]](
                HOST, port, directConnection=True, timeoutMS=milliseconds, connectTimeoutMS=milliseconds
            ) as client:
                client.intervai_runner.ready.find_one({})
        except PyMongoError:
            return False
        return True

    return check


def initiate(client: pymongo.MongoClient[dict[str, object]], port: int) -> None:
    """Make a fresh mongod a replica set of one: transactions and change streams need one."""
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        members = [{"_id": 0, "host": f"{HOST}:{port}"}]
        client.admin.command({"replSetInitiate": {"_id": "intervai", "members": members}})


def valkey(port: int, password: str) -> Probe:
    """Ready when it answers PING, so after it has read its append-only file."""

    def check() -> bool:
        try:
            with valkey_client.Valkey(HOST, port, password=password, socket_timeout=TIMEOUT) as client:
                return bool(client.ping())
        except (ValkeyError, OSError):
            return False

    return check


def redis_cluster(nodes: Sequence[tuple[int, int]], password: str) -> Probe:
    """Ready when these servers, by port and port of the bus, are one Cluster that serves every slot; makes one of new
    servers. Each keeps what it has learnt in its folder."""

    def check() -> bool:
        try:
            with ExitStack() as stack:
                clients = [
                    stack.enter_context(valkey_client.Valkey(HOST, port, password=password, socket_timeout=TIMEOUT))
                    for port, _ in nodes
                ]
                states = [client.execute_command("CLUSTER INFO") for client in clients]
                known = {(state["cluster_state"], int(state["cluster_known_nodes"])) for state in states}
                if known == {("ok", len(nodes))}:
                    return True
                join(clients, nodes, [int(state["cluster_slots_assigned"]) for state in states])
        except (ValkeyError, OSError):
            pass
        return False

    return check


def slot_ranges(masters: int) -> list[tuple[int, int]]:
    """The first and last slot of each master, all with the same share."""
    edges = [SLOTS * number // masters for number in range(masters + 1)]
    return [(first, end - 1) for first, end in pairwise(edges)]


def join(clients: Sequence[Any], nodes: Sequence[tuple[int, int]], assigned: Sequence[int]) -> None:
    """Give each server that knows of no slots its share, and let all meet the first. It may be done again."""
    for number, (client, slots) in enumerate(zip(clients, slot_ranges(len(clients)), strict=True)):
        if assigned[number] == 0:
            client.execute_command("CLUSTER ADDSLOTSRANGE", *slots)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        if number > 0:
            client.execute_command("CLUSTER MEET", HOST, *nodes[0])


def s3(port: int, settings: Mapping[str, str]) -> Probe:
    """Ready when the bucket is there and stored objects can be read; makes the bucket, private, at the first start."""
    listens = tcp(port)

    def check() -> bool:
        if not listens():
            return False
        # boto3 takes half a second to import, and most commands do not need it.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        client = boto3.client(
            "s3",
            endpoint_url=settings["S3_ENDPOINT"],
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            region_name=settings["AWS_REGION"],
            config=Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 1}),
        )
        try:
            names = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
            for bucket in {settings["S3_BUCKET"], SENTINEL["Bucket"]}.difference(names):
                client.create_bucket(Bucket=bucket)
            return read_sentinel(client)
        except (BotoCoreError, ClientError):
            return False

    return check


def read_sentinel(client: Any) -> bool:
    """Read the object that an earlier start has put; put it at the first start."""
    try:
        return bool(client.get_object(**SENTINEL)["Body"].read())
    except client.exceptions.NoSuchKey:
        client.put_object(**SENTINEL, Body=b"ready")
        return False
