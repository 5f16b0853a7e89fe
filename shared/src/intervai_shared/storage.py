"""Files in S3, and the signed URLs that hand them out. boto3 blocks, so it works in threads."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field, SecretStr

from intervai_shared.errors import OutageError
from intervai_shared.models import utc_now
from intervai_shared.settings import ServiceSettings

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


class StorageError(OutageError):
    """S3 did not do what it was asked, for now."""


@dataclass(frozen=True)
class StoredFile:
    """A file in the bucket."""

    key: str
    changed_at: datetime


class FileStorage:
    """One bucket. A client with the inner address puts and deletes, one with the public address signs."""

    def __init__(self, settings: StorageSettings) -> None:
        public = settings.s3_public_endpoint or settings.s3_endpoint
        self._bucket = settings.s3_bucket
        self._client = _client(settings, settings.s3_endpoint)
        # A client takes 10 MB, so one does for both where the address is the same.
        self._signer = self._client if public == settings.s3_endpoint else _client(settings, public)

    async def put(self, key: str, content: bytes, media_type: str, file_name: str) -> None:
        """Stores a file whole. Raises StorageError."""
        await self._call(
            "put_object",
            Key=key,
            Body=content,
            ContentType=media_type,
            ContentDisposition=content_disposition(file_name),
        )

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

    async def _call(self, operation: str, **params: Any) -> Any:
        try:
            return await asyncio.to_thread(getattr(self._client, operation), Bucket=self._bucket, **params)
        except (BotoCoreError, ClientError) as error:
            raise StorageError(f"{operation}: {error}") from error


def content_disposition(file_name: str) -> str:
    """An attachment header with a plain name for old clients and the real one (RFC 6266)."""
    plain = _NOT_PLAIN.sub("_", file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def _client(settings: StorageSettings, endpoint: str | None) -> Any:
    access, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.aws_region,
        aws_access_key_id=access.get_secret_value() if access else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            connect_timeout=2,
            # With its two tries a call takes at most about 10 s: a person waits for some, and a job is done again.
            read_timeout=5,
            retries={"total_max_attempts": 2, "mode": "standard"},
            # boto3's new default checksums are refused by servers other than AWS.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=20,
        ),
    )
