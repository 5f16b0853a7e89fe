"""The bucket: objects with their headers, in one tar file of a backup; and back."""

import io
import json
import tarfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from intervai_backup.disk_set import DiskSet
from intervai_backup.files import compressed
from intervai_backup.manifest import BucketFacts, FileFacts
from intervai_backup.settings import BackupSettings

FILE = "objects.tar.gz"
#: Headers of an object that are kept, by boto3's names; `Metadata` are its own `x-amz-meta-*`.
HEADERS = ("ContentType", "ContentDisposition", "ContentEncoding", "ContentLanguage", "CacheControl", "Metadata")
#: Where a tar member keeps its key and headers, as JSON (a vendor's keyword of POSIX pax).
PAX_KEYWORD = "INTERVAI.object"
#: Bytes up to which an object is held in memory; larger ones are streamed.
SMALL = 1024 * 1024
THREADS = 8
#: Objects on their way at a time: 16 times `SMALL` is the most memory that a copy takes.
AHEAD = 16
T = TypeVar("T")
R = TypeVar("R")


class Bucket:
    """One bucket. Its calls raise botocore's BotoCoreError and ClientError."""

    def __init__(self, settings: BackupSettings) -> None:
        self.name = settings.s3_bucket
        self._client = _client(settings)

    def object_names(self) -> Iterator[str]:
        """Of all objects."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name):
            yield from (entry["Key"] for entry in page.get("Contents", ()))

    def dump(self, folder: Path, copied: DiskSet) -> BucketFacts:
        """Writes all objects into the backup's folder, and their keys into `copied`. What is deleted meanwhile is left
        out."""
        started, count, size = time.monotonic(), 0, 0
        with (
            compressed(folder / FILE) as (stream, file),
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            for key, answer in _ahead(self._get, self.object_names()):
                if answer is None:
                    continue
                tar.addfile(_member(key, answer), answer["Body"])
                _forget_members(tar)
                copied.add(key)
                count, size = count + 1, size + answer["ContentLength"]
        facts = FileFacts(path=FILE, size=file.size, sha256=file.sha256)
        seconds = time.monotonic() - started
        return BucketFacts(name=self.name, file=facts, count=count, bytes=size, seconds=seconds)

    def load(self, stream: IO[bytes], loaded: DiskSet) -> int:
        """Puts the objects of a backup's (decompressed) tar file into the bucket, and their keys into `loaded`.

        Returns:
            How many.
        """
        count = 0
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for key in _ahead(self._put, self._contents(tar)):
                loaded.add(key)
                count += 1
        return count

    def delete(self, keys: Iterable[str]) -> int:
        """Deletes objects, as many as it returns."""
        return sum(1 for _ in _ahead(lambda key: self._client.delete_object(Bucket=self.name, Key=key), keys))

    def _get(self, key: str) -> tuple[str, dict[str, Any] | None]:
        try:
            answer: dict[str, Any] = self._client.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return key, None
            raise
        if answer["ContentLength"] <= SMALL:
            answer["Body"] = io.BytesIO(answer["Body"].read())
        return key, answer

    def _contents(self, tar: tarfile.TarFile) -> Iterator[tuple[dict[str, Any], bytes | None]]:
        """Each small object to put. A large one is put here, as it comes: its content cannot be waited with."""
        for member, content in read_members(tar):
            described = described_by(member)
            if member.size <= SMALL:
                yield described, content.read()
            else:
                key, headers = described["key"], described["headers"]
                self._client.upload_fileobj(_OnlyRead(content), self.name, key, ExtraArgs=headers)
                yield described, None

    def _put(self, item: tuple[dict[str, Any], bytes | None]) -> str:
        described, content = item
        if content is not None:
            self._client.put_object(Bucket=self.name, Key=described["key"], Body=content, **described["headers"])
        return str(described["key"])


class _OnlyRead:
    """A stream that is read from its beginning to its end: boto3 asks others whether they can seek, and a tar stream
    has no answer to that."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.read = stream.read


def read_members(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The members of a tar stream, each to be read before the next is asked for."""
    for member in tar:
        if content := tar.extractfile(member):
            yield member, content
        _forget_members(tar)


def _forget_members(tar: tarfile.TarFile) -> None:
    """It keeps what it has written or read, which would be all in the end."""
    tar.members = []  # type: ignore[attr-defined]  # public, but not in the stubs


def described_by(member: tarfile.TarInfo) -> dict[str, Any]:
    """`{key, headers}` of an object. Raises KeyError, ValueError: the member was not made by `dump`."""
    described: dict[str, Any] = json.loads(member.pax_headers[PAX_KEYWORD])
    return described


def _member(key: str, answer: dict[str, Any]) -> tarfile.TarInfo:
    member = tarfile.TarInfo(key)
    member.size = answer["ContentLength"]
    member.mtime = int(answer["LastModified"].timestamp())
    member.mode = 0o600
    headers = {name: answer[name] for name in HEADERS if answer.get(name)}
    member.pax_headers = {PAX_KEYWORD: json.dumps({"key": key, "headers": headers})}
    return member


def _ahead(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`map` in threads, in order, with at most `AHEAD` results that nobody has taken yet."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) == AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _client(settings: BackupSettings) -> Any:
    access, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.aws_region,
        aws_access_key_id=access.get_secret_value() if access else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.s3_endpoint else "auto"},
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 5, "mode": "standard"},
            # boto3's new default checksums are refused by servers other than AWS.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=AHEAD + THREADS,  # a large object keeps its own until it has been read
        ),
    )
