"""Redis at a restore. It is not backed up: what is in it refers to a state of the databases that is gone."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from intervai_backup.errors import BackupError
from intervai_backup.settings import SERVICES, BackupSettings
from intervai_shared import redis
from intervai_shared.auth.revocations import STREAM

BATCH = 500


class RedisState:
    """Its calls raise redis.RedisError."""

    def __init__(self, settings: BackupSettings) -> None:
        self._redis = redis.connect_blocking(settings, client_name=settings.service)

    def refuse_running_services(self) -> None:
        """Every API and worker process holds a connection under its service's name. Raises BackupError."""
        services = {f"{service}-service" for service in SERVICES}
        ours: dict[str, Any] = self._redis.client_info()
        running = sorted({client["name"] for client in self._clients() if client["db"] == str(ours["db"])} & services)
        if running:
            raise BackupError(f"services run: {', '.join(running)}; stop all API and worker processes first")

    def empty(self) -> int:
        """Removes everything but the list of revoked log-in sessions, and returns how many keys that were.

        Messages and caches speak of documents that are not there any more; log-in sessions may be of accounts that
        are not. An access token outlives its session by some minutes, so what was revoked must stay so.
        """
        keys = (key for key in self._redis.scan_iter(count=BATCH) if key != STREAM.encode())
        return sum(int(self._redis.unlink(*batch)) for batch in _batched(keys))

    def _clients(self) -> Iterator[dict[str, Any]]:
        """Of the one server, or of all nodes of a Cluster."""
        is_cluster = hasattr(self._redis, "get_primaries")
        answer: Any = self._redis.client_list(target_nodes="all") if is_cluster else {"": self._redis.client_list()}
        yield from chain.from_iterable(answer.values())


def _batched(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(keys, BATCH)):
        yield batch
