"""What the reader sees: a line for each step, a table at the end."""

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from intervai_backup.manifest import Content, Manifest

CONSOLE = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line of progress."""
    CONSOLE.print(text, markup=False)


def say_content(name: str, content: Content, what: str = "documents") -> None:
    """A part that has been read or loaded."""
    say(f"{name}: {content.count:,} {what}, {decimal(content.bytes)}, {content.seconds:.1f} s")


def show_table(manifest: Manifest) -> None:
    """All parts of a backup."""
    table = Table(title=f"read {manifest.oldest_read:%Y-%m-%d %H:%M:%S} UTC")
    table.add_column("collection", overflow="fold")
    for heading in ("documents", "bytes", "in the backup", "seconds"):
        table.add_column(heading, justify="right")
    rows: list[tuple[str, Content]] = [
        (f"{database.name}.{name}", facts)
        for database in manifest.databases.values()
        for name, facts in database.collections.items()
    ]
    rows.append((f"s3://{manifest.bucket.name}", manifest.bucket))
    for name, facts in rows:
        stored = f"{facts.file.size:,}"
        table.add_row(name, f"{facts.count:,}", f"{facts.bytes:,}", stored, f"{facts.seconds:.1f}")
    table.add_section()
    contents = [facts for _, facts in rows]
    totals = (sum(c.count for c in contents), sum(c.bytes for c in contents), sum(c.file.size for c in contents))
    seconds = (manifest.finished_at - manifest.started_at).total_seconds()
    table.add_row("total", *(f"{total:,}" for total in totals), f"{seconds:.1f}")
    CONSOLE.print(table)
