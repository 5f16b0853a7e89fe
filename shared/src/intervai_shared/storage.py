"""Files in S3, and the signed URLs that hand them out and take them in.

boto3 blocks, so it works in threads.
"""

import asyncio
import importlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr

from intervai_shared.errors import OutageError
from intervai_shared.models import utc_now
from intervai_shared.settings import ServiceSettings
from intervai_shared.storage_client import connect
from intervai_shared.storage_lifecycle import expire_after
from intervai_shared.storage_upload import Stored, StreamUpload

#: What has a meaning in a header's quoted string, or no place in a header at all.
_NOT_PLAIN = re.compile(r"""[^ !#$&-\[\]-~]""")


class StorageSettings(ServiceSettings):
    """Settings of a service that keeps files."""

    s3_endpoint: str | None = Field(None, description="None: AWS itself.")
    s3_public_endpoint: str | None = Field(None, description="How clients reach it; default: S3_ENDPOINT.")
    s3_bucket: str
    aws_region: str = "us-east-1"
    aws_access_key_id: SecretStr | None = Field(None, description="None: the machine's role.")
    aws_secret_access_key: SecretStr | None = None
    s3_sse: Literal["AES256", "aws:kms"] | None = Field(
        None, description="Encryption that each file is put with; None: as the bucket has it by default."
    )


class StorageError(OutageError):
    """S3 did not do what it was asked, for now. `status` is that of its answer, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class FileChangedError(Exception):
    """The file is gone, or is no longer the one that was looked at."""


@dataclass(frozen=True)
class StoredFile:
    """A file in the bucket."""

    key: str
    changed_at: datetime


@dataclass(frozen=True)
class FileHead:
    """What S3 says of a file. `etag` names this version of it."""

    size_bytes: int
    media_type: str
    etag: str


@dataclass(frozen=True)
class SignedUpload:
    """A form that uploads one file: POST to `url` as multipart/form-data, `fields` first, the field `file` last."""

    url: str
    fields: dict[str, str]
    expires_at: datetime


class FileStorage:
    """One bucket. A client with the inner address puts and deletes, one with the public address signs."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._bucket = settings.s3_bucket

    @cached_property
    def _client(self) -> Any:
        return connect(self._settings, self._settings.s3_endpoint)

    @cached_property
    def _signer(self) -> Any:
        # A client takes 10 MB, so one does for both where the address is the same.
        inner = self._settings.s3_endpoint
        public = self._settings.s3_public_endpoint or inner
        return self._client if public == inner else connect(self._settings, public)

    async def load(self) -> None:
        """Before the first URL is signed in an event loop: importing boto3 takes a fifth of a second."""
        if "_signer" not in self.__dict__:
            await asyncio.to_thread(lambda: self._signer)

    async def put(
        self, key: str, content: bytes, media_type: str, file_name: str, *, encoding: str | None = None
    ) -> None:
        """Stores a file whole; `encoding`: how it is compressed, clients undo that. Raises StorageError."""
        await self._call(
            "put_object",
            Key=key,
            Body=content,
            **self._about(media_type, file_name),
            **({"ContentEncoding": encoding} if encoding else {}),
        )

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], media_type: str, file_name: str) -> Stored:
        """Stores a file as it comes, with at most two parts of it in memory; afterwards it is there whole, or what was
        there before is.

        Raises:
            StorageError: S3 did not take it.
            Exception: what `chunks` raised.
        """
        return await StreamUpload(self._call, key, self._about(media_type, file_name)).run(chunks)

    async def expire_after(self, prefix: str, days: int) -> None:
        """Has S3 itself remove the files whose keys begin so, some days after they were put, and parts of uploads that
        were never completed. Raises StorageError, also where a server knows no such rules."""
        await expire_after(self._call, prefix, days)

    async def delete(self, key: str) -> None:
        """Removes a file; one that is not there is no error. Raises StorageError."""
        await self._call("delete_object", Key=key)

    async def files(self, prefix: str) -> AsyncIterator[list[StoredFile]]:
        """The files whose keys begin so, up to 1,000 at a time. Raises StorageError."""
        following: dict[str, str] = {}
        while True:
            answer = await self._call("list_objects_v2", Prefix=prefix, **following)
            yield [StoredFile(entry["Key"], entry["LastModified"]) for entry in answer.get("Contents", [])]
            if not answer.get("IsTruncated"):
                return
            following = {"ContinuationToken": answer["NextContinuationToken"]}

    async def check(self) -> None:
        """Raises StorageError when the bucket is not reachable."""
        await self._call("head_bucket")

    def signed_url(self, key: str, ttl_seconds: int) -> tuple[str, datetime]:
        """A URL that downloads the file, and when it stops working. Computed here, with no call to S3."""
        expires_at = utc_now().replace(microsecond=0) + timedelta(seconds=ttl_seconds)  # S3 signs whole seconds
        params = {"Bucket": self._bucket, "Key": key}
        return self._signer.generate_presigned_url("get_object", params, ExpiresIn=ttl_seconds), expires_at

    def signed_upload(self, key: str, media_type: str, max_bytes: int, ttl_seconds: int) -> SignedUpload:
        """A form that S3 takes only for this key, this type and 1 to `max_bytes` bytes, and not after `expires_at`; it
        may be used again until then. Computed here, with no call to S3.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
        """
        expires_at = utc_now().replace(microsecond=0) + timedelta(seconds=ttl_seconds)
        fixed = {"Content-Type": media_type}
        conditions = [fixed, ["content-length-range", 1, max_bytes]]
        form = self._signer.generate_presigned_post(self._bucket, key, fixed, conditions, ExpiresIn=ttl_seconds)
        return SignedUpload(form["url"], form["fields"], expires_at)

    async def head(self, key: str) -> FileHead | None:
        """What lies under the key; None: nothing. Raises StorageError."""
        try:
            found = await self._call("head_object", Key=key)
        except StorageError as error:
            if error.status == 404:
                return None
            raise
        return FileHead(found["ContentLength"], found.get("ContentType", ""), found["ETag"])

    async def first_bytes(self, key: str, count: int, etag: str) -> bytes:
        """At most `count` bytes of this version of the file. Raises FileChangedError, StorageError."""
        answer = await self._call("get_object", Key=key, Range=f"bytes=0-{count - 1}", IfMatch=etag)
        return bytes(answer["Body"])

    async def copy(self, key: str, to: str, etag: str, media_type: str) -> None:
        """Copies this version of a file within the bucket, with no metadata but its type; S3 does it by itself.

        Raises:
            FileChangedError: it is another version now. Then nothing has been copied.
            StorageError: see there.
        """
        source = {"Bucket": self._bucket, "Key": key}
        await self._call(
            "copy_object",
            Key=to,
            CopySource=source,
            CopySourceIfMatch=etag,
            MetadataDirective="REPLACE",
            ContentType=media_type,
            **self._encryption(),
        )

    def _about(self, media_type: str, file_name: str) -> dict[str, str]:
        disposition = content_disposition(file_name)
        return {"ContentType": media_type, "ContentDisposition": disposition, **self._encryption()}

    def _encryption(self) -> dict[str, str]:
        return {"ServerSideEncryption": self._settings.s3_sse} if self._settings.s3_sse else {}

    async def _call(self, operation: str, **params: Any) -> Any:
        try:
            return await asyncio.to_thread(self._blocking, operation, params)
        except StorageError as error:
            wants_a_version = params.keys() & {"IfMatch", "CopySourceIfMatch"}
            if wants_a_version and error.status in {404, 412, 416}:  # 416: it is empty
                raise FileChangedError from error
            raise

    def _blocking(self, operation: str, params: dict[str, Any]) -> Any:
        errors = importlib.import_module("botocore.exceptions")
        try:
            answer = getattr(self._client, operation)(Bucket=self._bucket, **params)
            return {**answer, "Body": answer["Body"].read()} if "Body" in answer else answer
        except errors.ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            raise StorageError(f"{operation}: {error}", status) from error
        except errors.BotoCoreError as error:
            raise StorageError(f"{operation}: {error}") from error


def content_disposition(file_name: str) -> str:
    """An attachment header with a plain name for old clients and the real one (RFC 6266)."""
    plain = _NOT_PLAIN.sub("_", file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
