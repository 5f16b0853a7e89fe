"""A set of strings that lies on the disk: a bucket may hold more names than fit into memory."""

import sqlite3
from types import TracebackType


class DiskSet:
    """Use it in a `with` block; its file is gone with it."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")  # an empty name: a temporary file, which SQLite deletes
        self._db.execute("CREATE TABLE items (item TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, item: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO items VALUES (?)", (item,))

    def __contains__(self, item: object) -> bool:
        return self._db.execute("SELECT 1 FROM items WHERE item = ?", (item,)).fetchone() is not None

    def __enter__(self) -> "DiskSet":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()
