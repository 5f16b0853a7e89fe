"""What must be different in a restored database, since the workers and queues of then are gone.

- Messages that had been sent in the last day before the backup are to be sent again. Redis is not in the backup, and
  what one service had sent another may not have applied yet when it was read. Consumers are idempotent, by job record
  and inbox, so what had been done is a no-op.
- The inbox remembers what it has applied for its full time from now on: its TTL must not forget what is sent again.
- A job that was running waits to be done, with its three attempts: no worker of then lives to end it.
- An export whose file is in no backup is made again.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from intervai_backup.files import decompressed
from intervai_backup.manifest import DatabaseFacts, Manifest
from intervai_shared.messaging.broker import AGE_LIMIT_MS
from intervai_shared.models import utc_now

#: How long before the first read of a backup a message may have been sent and not been applied: the age at which a
#: queue gives it up, and an hour for clocks that differ.
SENT_WITHIN = timedelta(milliseconds=AGE_LIMIT_MS) + timedelta(hours=1)
EXPORTS = ("export", "exports")
#: Collections of job records, each with its service.
JOBS = (
    ("qa", "jobs"),
    EXPORTS,
    ("auth", "letters"),
    ("user", "data_files"),
    *((service, "erasures") for service in ("auth", "user", "qa", "export")),
)

Document = dict[str, Any]
Change = Callable[[Document], Document]
_RAW = CodecOptions(document_class=RawBSONDocument)
_UTC = CodecOptions[Document](tz_aware=True)


@dataclass(frozen=True)
class Revival:
    """`since`: what has been sent after it is sent again. `without_file`: ids of exports to make again."""

    since: datetime
    now: datetime
    without_file: Collection[str]

    @classmethod
    def of(cls, manifest: Manifest) -> "Revival":
        """For a restore that begins now."""
        return cls(manifest.oldest_read - SENT_WITHIN, utc_now(), frozenset(manifest.bucket.exports_without_file))

    def change(self, service: str, collection: str) -> Change | None:
        """What to do with each document of a collection; None: nothing."""
        if (service, collection) in JOBS:
            return self._job
        return {"outbox": self._sent, "inbox": self._applied}.get(collection)

    def _sent(self, message: Document) -> Document:
        if message["state"] != "published" or message["publishedAt"] < self.since:
            return message
        return {**{key: value for key, value in message.items() if key != "publishedAt"}, "state": "pending"}

    def _applied(self, entry: Document) -> Document:
        return {**entry, "appliedAt": self.now} if entry["appliedAt"] >= self.since else entry

    def _job(self, job: Document) -> Document:
        if job["status"] != "running" and str(job["_id"]) not in self.without_file:
            return job
        waiting = {"status": "queued", "progress": 0, "leaseUntil": None, "excused": job["attempt"], "error": None}
        return {**{key: value for key, value in job.items() if key != "finishedAt"}, **waiting}


def documents(file: Path) -> Iterator[RawBSONDocument]:
    """The documents of a `*.bson.gz`, one at a time."""
    with decompressed(file) as stream:
        yield from bson.decode_file_iter(stream, _RAW)


def decoded(raw: RawBSONDocument) -> Document:
    """As a dict, with times in UTC."""
    return bson.decode(raw.raw, _UTC)


def ready_exports(
    folder: Path, databases: Mapping[str, DatabaseFacts], made_after: datetime
) -> Iterator[tuple[str, str]]:
    """The id of each export of a backup that has a file, and the key of its object, as export-service names it. Files
    that were made before `made_after` have expired: nobody misses them."""
    service, collection = EXPORTS
    if facts := databases[service].collections.get(collection):
        for raw in documents(folder / facts.file.path):
            if raw["status"] == "succeeded" and decoded(raw).get("finishedAt", made_after) >= made_after:
                content = f"{raw['contentHash']}/" if "contentHash" in raw else ""
                yield str(raw["_id"]), f"exports/{content}{raw['_id']}.{raw['format']}"
