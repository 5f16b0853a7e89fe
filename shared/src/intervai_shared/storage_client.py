"""The S3 client: boto3 takes 25 MB and a fifth of a second, so it is imported when the first client is made."""

import importlib
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intervai_shared.storage import StorageSettings

#: boto3 makes no two clients at a time.
_MAKING = threading.Lock()


def connect(settings: "StorageSettings", endpoint: str | None) -> Any:
    """A boto3 client; `endpoint` None: AWS itself."""
    access, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    with _MAKING:
        return importlib.import_module("boto3").client(
            "s3",
            endpoint_url=endpoint,
            region_name=settings.aws_region,
            aws_access_key_id=access.get_secret_value() if access else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=_config(endpoint),
        )


def _config(endpoint: str | None) -> Any:
    return importlib.import_module("botocore.config").Config(
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
    )
