"""What the bucket does by itself: encryption, and how long files stay."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import boto3
import pytest
from botocore.stub import ANY, Stubber
from pydantic import ValidationError

from intervai_shared import storage_upload
from intervai_shared.settings import ServiceSettings
from intervai_shared.storage import FileStorage, StorageError, StorageSettings


@pytest.fixture
def storage_settings(settings: ServiceSettings) -> StorageSettings:
    return StorageSettings(service=settings.service)


@pytest.fixture
def own_bucket() -> Iterator[str]:
    """A bucket of the test's own."""
    client, name = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"]), f"rules-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name)
    yield name
    client.delete_bucket(Bucket=name)


@pytest.fixture
def storage(storage_settings: StorageSettings, own_bucket: str) -> FileStorage:
    return FileStorage(storage_settings.model_copy(update={"s3_bucket": own_bucket}))


def rules(storage: FileStorage) -> dict[str, dict[str, Any]]:
    found = storage._client.get_bucket_lifecycle_configuration(Bucket=storage._bucket)["Rules"]
    return {rule["ID"]: rule for rule in found}


async def test_files_of_a_prefix_expire_and_the_rules_of_others_stay(storage: FileStorage) -> None:
    other = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "theirs/"}, "Expiration": {"Days": 30}}
    storage._client.put_bucket_lifecycle_configuration(
        Bucket=storage._bucket, LifecycleConfiguration={"Rules": [other]}
    )
    for days in (7, 3):
        await storage.expire_after("exports/", days)
        found = rules(storage)
        assert found.keys() == {"theirs", "expire exports/"}
        assert found["theirs"]["Expiration"]["Days"] == 30
        ours = found["expire exports/"]
        assert (ours["Status"], ours["Filter"]["Prefix"], ours["Expiration"]["Days"]) == ("Enabled", "exports/", days)
        assert ours["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 1


async def test_a_rule_that_is_there_is_not_written_again(storage: FileStorage) -> None:
    await storage.expire_after("exports/", 7)
    seen: list[str] = []
    storage._client.meta.events.register("before-call.s3", lambda model, **_: seen.append(model.name))
    await storage.expire_after("exports/", 7)
    assert seen == ["GetBucketLifecycleConfiguration"]


async def test_a_bucket_that_is_not_there_gets_no_rule(storage_settings: StorageSettings) -> None:
    missing = FileStorage(storage_settings.model_copy(update={"s3_bucket": f"none-{secrets.token_hex(6)}"}))
    with pytest.raises(StorageError):
        await missing.expire_after("exports/", 7)


async def two_chunks() -> AsyncIterator[bytes]:
    for _ in range(2):
        yield b"x" * 6


@pytest.mark.parametrize("sse", ["AES256", "aws:kms", None])
async def test_a_file_is_encrypted_as_the_setting_says_however_it_comes(
    storage_settings: StorageSettings, sse: Literal["AES256", "aws:kms"] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_upload, "PART_BYTES", 8)
    encrypting = FileStorage(storage_settings.model_copy(update={"s3_sse": sse}))
    header: dict[str, str] = {"ServerSideEncryption": sse} if sse else {}
    to: dict[str, Any] = {"Bucket": storage_settings.s3_bucket, "Key": "k"}
    about = {"ContentType": "text/plain", "ContentDisposition": ANY, **header}
    part = {**to, "UploadId": "u", "Body": ANY}
    copied = {"CopySource": ANY, "CopySourceIfMatch": "e", "MetadataDirective": "REPLACE", "ContentType": "text/plain"}
    with Stubber(encrypting._client) as s3:
        s3.add_response("put_object", {}, {**to, "Body": b"x", **about})
        s3.add_response("create_multipart_upload", {"UploadId": "u"}, {**to, **about})
        for number in (1, 2):
            s3.add_response("upload_part", {"ETag": f"e{number}"}, {**part, "PartNumber": number})
        parts = [{"ETag": "e1", "PartNumber": 1}, {"ETag": "e2", "PartNumber": 2}]
        s3.add_response("complete_multipart_upload", {}, {**to, "UploadId": "u", "MultipartUpload": {"Parts": parts}})
        s3.add_response("copy_object", {}, {**to, **copied, **header})
        await encrypting.put("k", b"x", "text/plain", "x.txt")
        await encrypting.put_stream("k", two_chunks(), "text/plain", "x.txt")
        await encrypting.copy("other", "k", "e", "text/plain")
        s3.assert_no_pending_responses()


def test_another_encryption_is_refused_at_the_start(settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SSE", "rot13")
    with pytest.raises(ValidationError, match="s3_sse"):
        StorageSettings(service=settings.service)
