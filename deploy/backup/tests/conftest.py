"""Databases, a bucket and a Redis database of the test's own, on the servers of the running suite."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from rich.console import Console

from intervai_backup.settings import SERVICES, BackupSettings
from intervai_local import environment, parts, scaling
from intervai_local.lifecycle import Suite
from intervai_local.state import State, free_port
from intervai_shared.testing import redis_at

MakeTarget = Callable[[], "Target"]
#: Of Redis; the suite uses 0, other tests 1.
REDIS_DATABASE = 5
RAW = CodecOptions(document_class=RawBSONDocument)


class Target:
    """Where a test backs up from or restores to."""

    def __init__(self, redis_url: str, **changed: Any) -> None:
        name = secrets.token_hex(4)
        own = {"mongo_database_prefix": f"bk_{name}_", "s3_bucket": f"bk-{name}"}
        self.settings = BackupSettings(**{**own, "redis_url": redis_url, **changed})
        self.mongo: MongoClient[dict[str, Any]] = MongoClient(os.environ["MONGO_URI"], tz_aware=True)
        self.redis = redis_at(redis_url)
        self.s3 = boto3.client(
            "s3",
            endpoint_url=self.settings.s3_endpoint,
            aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
            region_name=self.settings.aws_region,
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )
        self.bucket = self.settings.s3_bucket
        self.s3.create_bucket(Bucket=self.bucket)

    def __getitem__(self, service: str) -> Any:
        """The database of a service."""
        return self.mongo[self.settings.database(service)]

    def put(self, key: str, content: bytes, **headers: Any) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, **headers)

    def keys(self) -> set[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {entry["Key"] for page in pages for entry in page.get("Contents", ())}

    def object(self, key: str) -> tuple[bytes, dict[str, Any]]:
        """Content and headers."""
        answer = self.s3.get_object(Bucket=self.bucket, Key=key)
        names = ("ContentType", "ContentDisposition", "CacheControl", "Metadata")
        return answer["Body"].read(), {name: answer[name] for name in names if answer.get(name)}

    def everything(self) -> dict[str, Any]:
        """Documents byte by byte, options and indexes of all collections, and all objects."""
        objects = {key: self.object(key) for key in sorted(self.keys())}
        return {**{service: _all_of(self[service]) for service in SERVICES}, "objects": objects}

    def fill(self) -> None:
        """The least that every service has."""
        for service in SERVICES:
            self[service].outbox.insert_one({"state": "pending", "args": [service]})

    def close(self) -> None:
        for key in self.keys():
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.s3.delete_bucket(Bucket=self.bucket)
        for service in SERVICES:
            self.mongo.drop_database(self.settings.database(service))
        self.redis.flushdb()
        self.mongo.close()


class SecondSuite:
    """The parts of a suite beside the one that these tests run on, without services until they are started."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        plan = suite.plan()
        self.settings = environment.suite({}, plan.ports, plan.secrets)

    def start_services(self) -> None:
        scaling.run_counts(self._suite, dict.fromkeys(parts.COUNTS, 1))


@pytest.fixture
def second(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondSuite]:
    """With the first one's KEY_ENCRYPTION_KEY."""
    state = State(tmp_path_factory.mktemp("s") / "suite")
    state.create()
    state.write("secrets.json", {"key_encryption_key": os.environ["KEY_ENCRYPTION_KEY"]})
    for name in ("SMTP_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY", "STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(parts, "COUNTS", dict.fromkeys(parts.COUNTS, 0))
    suite = Suite(state, Console(stderr=True))
    try:
        suite.up(free_port())
        yield SecondSuite(suite)
    finally:
        suite.down()


def _all_of(database: Any) -> dict[str, Any]:
    found = {}
    for info in database.list_collections():
        name = info["name"]
        indexes = {index["name"]: dict(index) for index in database[name].list_indexes()}
        raw = sorted(document.raw for document in database.get_collection(name, RAW).find())
        found[name] = (info["options"], indexes, raw)
    return found


@pytest.fixture
def make_target(redis_beside: Callable[[int], str]) -> Iterator[Callable[..., Target]]:
    """Makes targets; arguments change their settings."""
    made: list[Target] = []

    def make(**changed: Any) -> Target:
        made.append(Target(redis_beside(REDIS_DATABASE), **changed))
        return made[-1]

    yield make
    for target in made:
        target.close()


@pytest.fixture
def source(make_target: MakeTarget) -> Target:
    """What is backed up, with a document in each database."""
    target = make_target()
    target.fill()
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where to write the backup."""
    return tmp_path / "backup"
