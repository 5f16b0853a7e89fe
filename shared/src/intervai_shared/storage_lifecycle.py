"""The bucket's own rules of how long files stay.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""

from collections.abc import Awaitable, Callable
from typing import Any

from intervai_shared.errors import OutageError

#: Days after which S3 drops the parts of an upload that nobody has completed or aborted.
UNFINISHED_DAYS = 1


async def expire_after(call: Callable[..., Awaitable[Any]], prefix: str, days: int) -> None:
    """Writes the rule of a prefix; those of others stay, as they are. Raises StorageError."""
    wanted = {
        "ID": f"expire {prefix}",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"Days": days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
    }
    rules = await _rules(call)
    if wanted in rules:
        return
    others = [rule for rule in rules if rule.get("ID") != wanted["ID"]]
    await call("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [*others, wanted]})


async def _rules(call: Callable[..., Awaitable[Any]]) -> list[dict[str, Any]]:
    try:
        return list((await call("get_bucket_lifecycle_configuration")).get("Rules", []))
    except OutageError as error:
        if getattr(error, "status", None) == 404:  # there is none yet
            return []
        raise
