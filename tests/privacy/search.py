"""Looks for texts in every store of a running suite: who looks must find what is there, so nothing is left out."""

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from intervai_shared.testing import redis_at

DATABASES = ("intervai_auth", "intervai_user", "intervai_qa", "intervai_export")


def places_of(*texts: str) -> dict[str, set[str]]:
    """Where each text stands: `mongo intervai_qa.sessions`, `redis KEY`, `s3 KEY`. What looks like an ObjectId is
    looked for in its binary form too."""
    found: dict[str, set[str]] = {text: set() for text in texts}
    forms = {text: [text.encode(), *([ObjectId(text).binary] if ObjectId.is_valid(text) else [])] for text in texts}
    for place, content in everything():
        for text in texts:
            if any(form in content for form in forms[text]):
                found[text].add(place)
    return found


def events_with(text: str) -> list[dict[str, Any]]:
    """The events of all logs in which a text stands."""
    with MongoClient[Any](os.environ["MONGO_URI"]) as client:
        return [event for name in DATABASES for event in client[name].events.find() if text in str(event)]


def expires(key: str) -> bool:
    """Whether Redis forgets the key by itself."""
    with redis_at(os.environ["REDIS_URL"]) as client:
        return client.ttl(key) != -1


def everything() -> Iterator[tuple[str, bytes]]:
    """Each store's contents, piece by piece."""
    yield from _mongo()
    yield from _redis()
    yield from _s3()


def log_files_with(text: str) -> list[str]:
    """The names of the suite's log files in which a text stands."""
    logs = Path(os.environ["STATE_DIR"]) / "logs"
    files = [file for file in logs.rglob("*") if file.is_file()]
    assert len(files) >= 10, "the suite has a log file a process"
    return [file.name for file in files if text.encode() in file.read_bytes()]


def _mongo() -> Iterator[tuple[str, bytes]]:
    with MongoClient(os.environ["MONGO_URI"], document_class=RawBSONDocument) as client:
        for name in DATABASES:
            for collection in client[name].list_collection_names():
                for document in client[name][collection].find():
                    yield f"mongo {name}.{collection}", document.raw


def _redis() -> Iterator[tuple[str, bytes]]:
    with redis_at(os.environ["REDIS_URL"]) as client:
        for key in client.scan_iter(count=1000):
            place = f"redis {key.decode(errors='replace')}"
            yield place, key
            for value in _values(client, key):
                yield place, value
                if value[:1] == b"z":  # as cache.py packs large ones
                    yield place, _inflated(value[1:])


def _values(client: Any, key: bytes) -> list[bytes]:  # noqa: PLR0911
    match client.type(key):
        case b"string":
            return [client.get(key) or b""]
        case b"hash":
            return [part for pair in client.hgetall(key).items() for part in pair]
        case b"list":
            return list(client.lrange(key, 0, -1))
        case b"set":
            return list(client.smembers(key))
        case b"zset":
            return list(client.zrange(key, 0, -1))
        case b"stream":
            return [part for _, fields in client.xrange(key) for pair in fields.items() for part in pair]
        case b"none":  # it has expired this moment
            return []
    raise AssertionError(f"a kind of key that nobody looks into: {client.type(key)}")


def _inflated(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return b""


def s3() -> Any:
    """A client of the suite's S3."""
    return boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], region_name=os.environ["AWS_REGION"])


def _s3() -> Iterator[tuple[str, bytes]]:
    client, bucket = s3(), os.environ["S3_BUCKET"]
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            stored = client.get_object(Bucket=bucket, Key=entry["Key"])
            body = stored["Body"].read()
            place = f"s3 {entry['Key']}"
            yield place, entry["Key"].encode()
            yield place, repr(stored["ResponseMetadata"]["HTTPHeaders"]).encode()
            yield place, gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
